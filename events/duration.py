"""Durations as people write them in Kubernetes and Go: `30s`, `1m30s`, `2h`."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_TOO_LONG = 1e15
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def parse_duration(text: object) -> float:
    """Seconds of a duration; a bare number is seconds. ValueError names the forms that are understood."""
    if isinstance(text, (int, float)) and not isinstance(text, bool) and abs(text) < _TOO_LONG:
        return float(text)
    if isinstance(text, str):
        if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            return float(text)
        parts = _PART.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))
    raise ValueError(f"{str(text)[:80]!r} is no duration; write it like 30s, 1m30s or 2h")


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads back as the very same number."""
    return f"{Decimal(repr(float(seconds))).normalize():f}s"


DURATION_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^(\d+(\.\d+)?|(\d+(\.\d+)?(ms|s|m|h))+)$"},
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
