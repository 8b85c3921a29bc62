"""What a `ce-` header says: the attribute's value, in every form that brokers and SDKs write.

The HTTP binding asks senders to percent-encode spaces, `"`, `%` and non-ASCII characters. Our publisher and the SDKs for
C# and Python (2.2) do; the one for Python 2.0 encodes every character that is not unreserved; those for Go, Java,
JavaScript and Rust, and so Knative's brokers, send the value as it is, in UTF-8 or Latin-1. So a value is decoded only where one of the two ways of
encoding could have made it, and kept as it is everywhere else.

A decoded value has the `/`, `:` and `.` of the raw one in the same places, unless the raw one has none of the first two
at all. So where a broker's filter by `exact`, `prefix` or `suffix` let the raw value in, it would let the decoded one in
as well: nothing is authorised as one sender and acted on as another.
"""

import re

_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_NEEDS_ENCODING = frozenset(' "%<>\\^`{|}')
_ALL_ENCODED = re.compile(r"(?:[A-Za-z0-9_.~-]|%[0-9A-Fa-f]{2})+")
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]")
_NAMES_ARTIFACTS = ("subject", "partitionkey")
_NO_URI = re.compile(r"[\s\"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})")


def attribute_in(name: str, header: str) -> str:
    """Read the attribute `name` from its header, as an HTTP server hands it over (bytes read as Latin-1).

    `source` is a URI reference, and the subject of an artifact has a URI in it: where decoding would make it none, its
    escapes are its own and stay.
    """
    raw = as_text(header)
    decoded = _decoded(raw)
    is_uri = name == "source" or (name in _NAMES_ARTIFACTS and "://" in raw)
    if decoded is None or (is_uri and _NO_URI.search(decoded)):
        return raw
    return decoded


def as_text(header: str) -> str:
    """Decode a header's bytes: UTF-8, which most senders write, else Latin-1, in which they were handed over."""
    if header.isascii():
        return header
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _decoded(raw: str) -> str | None:
    """One round of decoding; None where no sender could have encoded a value so."""
    pieces = _ESCAPES.findall(raw)
    if not pieces:
        return None
    try:
        plain = [bytes.fromhex(piece.replace("%", "")).decode("utf-8") for piece in pieces]
    except UnicodeDecodeError:
        return None
    characters = "".join(plain)
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in characters):
        return None
    only_needed = all(char in _NEEDS_ENCODING or not char.isascii() for char in characters)
    all_encoded = _ALL_ENCODED.fullmatch(raw) is not None and not _UNRESERVED.search(characters)
    if "%" in _ESCAPES.sub("", raw) or not (only_needed or all_encoded):
        return None
    texts = iter(plain)
    return _ESCAPES.sub(lambda _escape: next(texts), raw)
