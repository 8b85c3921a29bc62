"""Where a model's artifact is: a storage URI as KServe takes it, split so that two of them can be compared.

Rules: KServe's storage initializer and pkg/controller/…/utils (SupportedStorageURIPrefixList); a claim is
`pvc://CLAIM/PATH` and belongs to the namespace of the object or event that names it.
"""

import re
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote, unquote

from events.errors import shown

SCHEMES = ("pvc", "s3", "gs", "hdfs", "webhdfs", "http", "https", "hf", "modelscope", "oci", "oci+native", "oci+fetch")
_SAME = {"oci+native": "oci", "oci+fetch": "oci", "gcs": "gs"}
"""Ways to mount an image: it is the same one, however a model mounts it. And what gs:// is often called."""
_HOSTS = frozenset({"http", "https", "hdfs", "webhdfs", "oci"})
_USUAL = {"hf": ":main", "oci": ":latest"}
"""The revision or tag that is loaded where none is named."""
MOST_CHARACTERS = 2048
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]+)(?:/(?P<path>.*))?", re.DOTALL)
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")
_SIGNED = frozenset({"sig", "signature", "x-amz-signature", "x-goog-signature"})
_SIGNING = re.compile(
    r"x-(amz|goog)-.*|sig|signature|expires|awsaccesskeyid|googleaccessid|policy|key-pair-id"
    r"|s[vpetri]|ss|srt|spr|sip|sdd|sdu|saoid|suoid|scid|sk(oid|tid|t|e|s|v)|rsc[cdelt]"
)


@dataclass(frozen=True, slots=True)
class Location:
    """`authority` is the claim, bucket or host; `path` has no slash at either end, "" for the whole of it.

    Of an image or a Hugging Face repository the tag, digest or revision is the end of `path`, unless it is the one that
    is loaded where none is named. What signs a URL (a SAS token, a presigned URL's) is left out: it is no part of the
    place, and is a secret.
    """

    scheme: str
    authority: str
    path: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """ValueError says what is wrong with it, and never repeats more than a little of it."""
        if len(uri) > MOST_CHARACTERS:
            raise ValueError(f"a storage URI of {len(uri)} characters; at most {MOST_CHARACTERS}")
        match = _URI.fullmatch(uri)
        named = match["scheme"].lower() if match else ""
        if not match or (named not in SCHEMES and named not in _SAME):
            raise ValueError(f"{shown(uri)} has no scheme that KServe loads from; expected one of {', '.join(SCHEMES)}")
        if UNPRINTABLE.search(uri):
            raise ValueError(f"{shown(uri)} has a space, a control character or a backslash in it")
        scheme = _SAME.get(named, named)
        authority = match["authority"].lower() if scheme in _HOSTS else match["authority"]
        path, query = _without_signature(match["path"] or "") if scheme in _HOSTS else (match["path"] or "", "")
        parts = [part for part in path.split("/") if part]
        if scheme != "pvc":  # what stands there is the folder's very name
            parts = [_spelled(part) for part in parts]
        if {".", ".."} & set(parts):
            raise ValueError(f"{shown(uri)} leaves its {match['authority'][:80]}: the path must not have . or .. in it")
        if scheme == "pvc" and not _CLAIM.fullmatch(authority):
            raise ValueError(f"{shown(uri)} names no claim; expected pvc://CLAIM/PATH")
        usual = _USUAL.get(scheme, "")
        if usual and parts:
            parts[-1] = _without_usual(parts[-1], usual)
        elif usual:
            authority = authority.removesuffix(usual)
        return cls(scheme, authority, "/".join(parts) + query)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{f'/{self.path}' if self.path else ''}"

    @property
    def claim(self) -> str | None:
        """The PersistentVolumeClaim, None where it is no claim."""
        return self.authority if self.scheme == "pvc" else None

    @property
    def ancestors(self) -> tuple["Location", ...]:
        """The whole of it first, then each folder down to this very place."""
        parts = self.path.split("/") if self.path else []
        return tuple(
            Location(self.scheme, self.authority, "/".join(parts[:length])) for length in range(len(parts) + 1)
        )

    @property
    def also(self) -> tuple["Location", ...]:
        """What was written as well when this was: of an image with tag and digest, the tag and the digest by itself."""
        tagged, at, digest = self.path.rpartition("@")
        folder, slash, last = tagged.rpartition("/")
        name, colon, _tag = last.partition(":")
        if self.scheme != "oci" or not at or not tagged:
            return ()
        untagged = replace(self, path=f"{folder}{slash}{name}@{digest}")
        return (replace(self, path=tagged.removesuffix(_USUAL["oci"])), *((untagged,) if colon else ()))

    @property
    def has_versions(self) -> bool:
        """Whether it is an image or a repository, of which there are several by tag, digest or revision."""
        return self.scheme in _USUAL

    @property
    def unversioned(self) -> "Location":
        """The image or repository that it is a tag, digest or revision of; of everything else itself."""
        if not self.has_versions:
            return self
        if not self.path:
            return replace(self, authority=self.authority.partition(":")[0])
        folder, slash, last = self.path.rpartition("/")
        return replace(self, path=folder + slash + re.split("[:@]", last, maxsplit=1)[0])

    def overlaps(self, other: "Location") -> bool:
        """Whether something written here is at the other: the same place, or one inside the other."""
        return self in other.ancestors or other in self.ancestors or other in self.also


def _without_usual(last: str, usual: str) -> str:
    """Remove the tag or revision that the last part of a path has anyway; a digest says more than any tag."""
    return last if "@" in last else last.removesuffix(usual)


def _without_signature(path: str) -> tuple[str, str]:
    """Path and query (with its question mark), without what signs them."""
    plain, _, query = path.partition("#")[0].partition("?")
    pairs = [pair for pair in query.split("&") if pair]
    names = [unquote(pair.partition("=")[0]).lower() for pair in pairs]
    if _SIGNED & set(names):
        pairs = [pair for pair, name in zip(pairs, names, strict=True) if not _SIGNING.fullmatch(name)]
    return plain, f"?{'&'.join(pairs)}" if pairs else ""


def _spelled(part: str) -> str:
    """One segment in the one of its spellings that is compared (RFC 3986, 6.2.2; RFC 3987, 5.3.2).

    Letters that need no escape stand as themselves; escapes of all others stay, in capitals.
    """
    return _ESCAPES.sub(lambda run: _unescaped(run[0]), part) if "%" in part else part


def _unescaped(run: str) -> str:
    try:
        text = bytes.fromhex(run.replace("%", "")).decode("utf-8")
    except UnicodeDecodeError:
        return run.upper()
    return "".join(char if _stands_as_itself(char) else quote(char, safe="") for char in text)


def _stands_as_itself(char: str) -> bool:
    return char in _UNRESERVED or (not char.isascii() and char.isprintable())
