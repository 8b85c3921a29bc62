"""Durations as people write them: `30s`, `1m30s`, `2h`, as Kubernetes and Go do; `1d`, `1w`, `90 s`, `5 min`; `PT30S`.

The one reader for events, the REST API, the command line, settings and annotations.
"""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WORDS = {
    0.001: ("ms", "millisecond", "milliseconds"),
    1: ("s", "sec", "secs", "second", "seconds"),
    _MINUTE: ("m", "min", "mins", "minute", "minutes"),
    _HOUR: ("h", "hr", "hrs", "hour", "hours"),
    _DAY: ("d", "day", "days"),
    7 * _DAY: ("w", "week", "weeks"),
}
_SECONDS = {word: seconds for seconds, words in _WORDS.items() for word in words}
_UNIT = "|".join(sorted(_SECONDS, key=len, reverse=True))
_PART = re.compile(rf"({_NUMBER}) ?({_UNIT})(?![a-z])", re.ASCII)
_PARTS = re.compile(rf"{_NUMBER} ?(?:{_UNIT})(?: ?{_NUMBER} ?(?:{_UNIT}))*", re.ASCII)
_ISO_NUMBER = r"(\d+(?:[.,]\d+)?)"
_ISO = re.compile(
    rf"P(?=[\dT])(?:{_ISO_NUMBER}W)?(?:{_ISO_NUMBER}D)?(?:T(?=\d)(?:{_ISO_NUMBER}H)?(?:{_ISO_NUMBER}M)?(?:{_ISO_NUMBER}S)?)?",
    re.ASCII,
)
_ISO_SECONDS = (7 * _DAY, _DAY, _HOUR, _MINUTE, 1)
_TOO_LONG = 1e15


def parse_duration(text: object) -> float:
    """Seconds of a duration; a bare number is seconds, a day has 24 hours.

    Raises:
        ValueError: it is none; the message names the forms that are understood. Months and years have no fixed length.

    """
    seconds = _seconds(text)
    if seconds is None or not abs(seconds) < _TOO_LONG:
        raise ValueError(
            f"{str(text)[:80]!r} is not a duration; write it like 30s, 1m30s or 2h (also 1d, 1w, 90 s, PT30S)"
        )
    return seconds


def _seconds(text: object) -> float | None:
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text) if abs(text) < _TOO_LONG else None
    if not isinstance(text, str):
        return None
    text = text.strip(" ")
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return float(text)
    if _PARTS.fullmatch(text):
        return float(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
    return parse_iso_duration(text)


def parse_iso_duration(text: str) -> float | None:
    """Seconds of an ISO 8601 duration of weeks and smaller, such as PT0.2S or P1D; None: it is none."""
    found = _ISO.fullmatch(text)
    if not found:
        return None
    parts = zip(found.groups(), _ISO_SECONDS, strict=True)
    return float(sum(float(number.replace(",", ".")) * seconds for number, seconds in parts if number))


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads back as the very same number."""
    return f"{Decimal(repr(float(seconds))).normalize():f}s"


DURATION_SCHEMA = {
    "anyOf": [
        {
            "type": "string",
            "pattern": r"^(\d+(\.\d+)?|\d+(\.\d+)? ?(ms|s|min|m|h|d|w)( ?\d+(\.\d+)? ?(ms|s|min|m|h|d|w))*"
            r"|P(\d+[WD]|(\d+D)?T(\d+H(\d+M)?(\d+(\.\d+)?S)?|\d+M(\d+(\.\d+)?S)?|\d+(\.\d+)?S)))$",
        },
        {"type": "number", "minimum": 0},
    ],
    "examples": ["30s", "1m30s", 45],
}
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(DURATION_SCHEMA),
]
