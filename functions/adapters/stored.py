"""Reading what is stored, whatever version wrote it: a neighbouring one, or something else.

Unknown fields are ignored at every depth. An unknown value of an enum becomes its UNKNOWN; where it has none, the
field counts as absent. What can't be read at all is Unreadable; nothing else is ever raised. Numbers that would fail
far from here (beyond 64 bits, NaN, infinity) and deep JSON (200 levels) are unreadable.
"""

import math
import re
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from prometheus_client import Counter
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from events.errors import ModelswitchError
from functions.logs import logger

SCHEMA = 1
"""Of every document that this version writes. Documents without a number are older. Raise it with each change of what
is stored, and add what the version before wrote to tests/upgrade/fixtures."""
MOST_CHARACTERS = 1024 * 1024
UNREADABLE = Counter("modelswitch_unreadable_documents_total", "Stored documents that could not be read.", ["kind"])
_LOG_AGAIN_SECONDS = 3600
_REPAIRS = 3
_SUSPICIOUS = re.compile(r"[:\[,]\s*-?(?:\d{19}|[\d.]+[eE][+-]?\d\d|NaN|Infinity)")
_UNKNOWN = "unknown"
_logged: dict[str, float] = {}

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class Unreadable(ModelswitchError, ValueError):
    """A stored document that this version can't read: what was found, in a few words."""


def read_json(text: str, most: int = MOST_CHARACTERS) -> Any:
    """The parsed document. Raises Unreadable."""
    _check(text, most)
    try:
        return from_json(text)
    except ValueError as error:
        raise Unreadable(str(error)[:200]) from error


def read_model(kind: type[M], text: str, most: int = MOST_CHARACTERS) -> M:
    """Raises Unreadable."""
    _check(text, most)
    try:
        return kind.model_validate_json(text, extra="ignore")
    except ValidationError as error:
        return _repaired(TypeAdapter(kind), text, error)


def read_values(adapter: TypeAdapter[T], values: Mapping[str, Any]) -> T:
    """From a document that is parsed already. Raises Unreadable."""
    try:
        return adapter.validate_python(values, extra="ignore")
    except ValidationError as error:
        raise _unreadable(error) from error


def known_values(adapter: TypeAdapter[T], text: str) -> T:
    """As `read_values`, of an object's text."""
    values = read_json(text)
    if not isinstance(values, dict):
        raise Unreadable(f"{type(values).__name__}, expected an object")
    return read_values(adapter, values)


def told_unreadable(kind: str, error: Unreadable) -> None:
    """Counted each time, logged once an hour for each kind of document."""
    UNREADABLE.labels(kind).inc()
    now = time.monotonic()
    if now - _logged.get(kind, -math.inf) > _LOG_AGAIN_SECONDS:
        _logged[kind] = now
        logger().warning("stored document can't be read", action="unreadable", kind=kind, error=str(error))


def _check(text: str, most: int) -> None:
    if len(text) > most:
        raise Unreadable(f"{len(text)} characters, expected at most {most}")
    if _SUSPICIOUS.search(text):
        try:
            _check_numbers(from_json(text))
        except ValueError as error:
            raise Unreadable(str(error)[:200]) from error


def _check_numbers(value: Any) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            _check_numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_numbers(inner)
    elif isinstance(value, int):
        if abs(value) >= 2**63:
            raise Unreadable("a number beyond 64 bits")
    elif isinstance(value, float) and not abs(value) < 1e18:
        raise Unreadable("a number that is infinite, or not one")


def _repaired(adapter: TypeAdapter[T], text: str, error: ValidationError) -> T:
    """With the values of enums that are unknown here replaced or left out, from the inside outwards."""
    try:
        values = from_json(text)
    except ValueError:
        raise _unreadable(error) from error
    known: list[tuple[int | str, ...]] = []
    for _ in range(_REPAIRS):
        for found in error.errors(include_url=False, include_input=False):
            if found["type"] in {"enum", "literal_error"} and "ref" not in found["loc"]:
                known.append(found["loc"])
                _replace(values, found)
            elif found["type"] == "missing" and any(found["loc"][:-1] == loc[:-1] for loc in known):
                _leave_out(values, found["loc"][:1])
            else:
                raise _unreadable(error) from error
        try:
            return adapter.validate_python(values, extra="ignore")
        except ValidationError as next_error:
            error = next_error
    raise _unreadable(error) from error


def _replace(values: Any, found: ErrorDetails) -> None:
    if f"'{_UNKNOWN}'" in str(found.get("ctx", {}).get("expected")):
        inside = _at(values, found["loc"][:-1])
        if isinstance(inside, dict | list):
            inside[found["loc"][-1]] = _UNKNOWN  # type: ignore[index] # a list's is a number
            return
    _leave_out(values, found["loc"])


def _leave_out(values: Any, loc: tuple[int | str, ...]) -> None:
    inside = _at(values, loc[:-1])
    if isinstance(inside, dict):
        inside.pop(loc[-1], None)
    elif len(loc) > 1:
        _leave_out(values, loc[:-1])


def _at(values: Any, loc: tuple[int | str, ...]) -> Any:
    for step in loc:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _unreadable(error: ValidationError) -> Unreadable:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step)[:80] for step in first["loc"])
    return Unreadable(f"{place}: {first['msg'][:200]}" if place else first["msg"][:200])
