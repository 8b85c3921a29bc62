"""Who sent an event: what it says of itself is a claim, and some names can never be claimed.

Names that modelswitch gives itself are reserved, so that no event can pass for a REST user, for a change made outside
modelswitch, or for one of modelswitch's own. A sender is named by its CloudEvents `source`; `within` compares sources
segment by segment, so that `/ci` does not stand for `/cicada`.
"""

import re
import unicodedata
from urllib.parse import quote, unquote

from events.errors import Impossible, shown

PREFIXES = ("rest:", "external:", "event:", "claimed:", "unsigned:")
OWN = ("modelswitch", "/modelswitch")
TOOLS = ("/modelswitch/cli", "/modelswitch/claims")
"""Sources that the command line and the watcher of claims use wherever they run: names like any other sender's."""
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_ASCII = "".join(map(chr, range(128)))
_NEXT_ACTION = "Use a name of the sender's own, such as /teams/fraud/nightly."


def refuse_reserved(source: str, claimed_actor: str | None) -> None:
    """Raise Impossible (422) where an event's source, or the actor that it names, is reserved."""
    for field, name in (("source", source), ("actor", claimed_actor)):
        if name is not None and is_reserved(name):
            expected = f"none of {', '.join(PREFIXES)} or {' or '.join(OWN)} at its beginning: they are reserved"
            raise Impossible(f"{field} {shown(name)}", expected, _NEXT_ACTION)


def is_reserved(name: str) -> bool:
    """Case and Unicode form are ignored: names that look the same to a person count as the same.

    So are percent-escapes: what is read as a source with escapes here may be read without them elsewhere.
    """
    return any(_is_reserved(spelled) for spelled in dict.fromkeys((name, unquote(name))))


def _is_reserved(name: str) -> bool:
    plain = "".join(char for char in unicodedata.normalize("NFKC", name).casefold() if char.isprintable()).strip()
    if any(within(plain, tool) for tool in TOOLS):
        return False
    return plain.startswith(PREFIXES) or any(
        plain.startswith(own) and not plain[len(own) : len(own) + 1].isalnum() for own in OWN
    )


def within(source: str, prefix: str) -> bool:
    """Whether `source` is `prefix` or something below it, at a `/`.

    A source with `.` or `..` in it, escaped or not, is below nothing. Non-ASCII characters count as their escapes.
    """
    if {".", ".."} & set(unquote(source).split("/")):
        return False
    source, prefix = _as_uri(source), _as_uri(prefix)
    return source == prefix or source.startswith(f"{prefix.rstrip('/')}/")


def _as_uri(source: str) -> str:
    """Make a URI reference of what may be an IRI reference (RFC 3987, 3.1); its escapes in capitals."""
    return _ESCAPE.sub(lambda escape: escape[0].upper(), quote(source, safe=_ASCII, errors="replace"))


def printable(claim: str | None) -> str | None:
    """Return a claim as it may be shown and logged: no control or invisible characters; None where nothing is left."""
    kept = "".join(char for char in claim or "" if char.isprintable()).strip()
    return kept or None


def named(actor: str, claimed_actor: str | None) -> str:
    """For people: who it was, and apart from that who it claims to be."""
    return f"{actor} (claims to be {claimed_actor})" if claimed_actor else actor
