"""Where a model's artifact is: a storage URI as KServe takes it, split so that two of them can be compared.

Rules: KServe's storage initializer and pkg/controller/…/utils (SupportedStorageURIPrefixList); a claim is
`pvc://CLAIM/PATH` and belongs to the namespace of the object or event that names it.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from events.errors import shown

SCHEMES = ("pvc", "s3", "gs", "hdfs", "webhdfs", "http", "https", "hf", "modelscope", "oci", "oci+native", "oci+fetch")
_ONE_IMAGE = {"oci+native": "oci", "oci+fetch": "oci"}
"""Ways to mount an image: it is the same one, however a model mounts it."""
MOST_CHARACTERS = 2048
_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]+)(?:/(?P<path>.*))?", re.DOTALL)
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Location:
    """`authority` is the claim, bucket or host; `path` has no slash at either end, "" for the whole of it."""

    scheme: str
    authority: str
    path: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """ValueError says what is wrong with it, and never repeats more than a little of it."""
        if len(uri) > MOST_CHARACTERS:
            raise ValueError(f"a storage URI of {len(uri)} characters; at most {MOST_CHARACTERS}")
        match = _URI.fullmatch(uri)
        if not match or match["scheme"] not in SCHEMES:
            raise ValueError(f"{shown(uri)} has no scheme that KServe loads from; expected one of {', '.join(SCHEMES)}")
        if UNPRINTABLE.search(uri):
            raise ValueError(f"{shown(uri)} has a space, a control character or a backslash in it")
        parts = [_spelled(part) for part in (match["path"] or "").split("/") if part]
        if {".", ".."} & set(parts):
            raise ValueError(f"{shown(uri)} leaves its {match['authority'][:80]}: the path must not have . or .. in it")
        if match["scheme"] == "pvc" and not _CLAIM.fullmatch(match["authority"]):
            raise ValueError(f"{shown(uri)} names no claim; expected pvc://CLAIM/PATH")
        scheme = _ONE_IMAGE.get(match["scheme"], match["scheme"])
        return cls(scheme, match["authority"], "/".join(parts))

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

    def overlaps(self, other: "Location") -> bool:
        """Whether something written at one is at the other: the same place, or one inside the other."""
        return self in other.ancestors or other in self.ancestors


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
