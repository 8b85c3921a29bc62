"""The shape of a JSON answer: an example of it says which keys must be there, how long lists are, and the kinds of values."""

from itertools import islice
from typing import Any

_DEEP = 2
_LONG = 70
_MOST_KEYS = 20  # more do not fit into what is shown
_LONGEST_PLACE = 120


def differs(expected: Any, found: Any, where: str = "") -> str | None:
    """The first difference in words; None where `found` has the shape. More keys than expected are fine.

    An object: its keys, each of that shape. A list: of that length, each element of that shape; `[]` is any list.
    A value: one of the same kind; null is anything.
    """
    here = _short(where, _LONGEST_PLACE) or "the answer"
    if expected is None:
        return None
    if isinstance(expected, dict):
        return _object(expected, found, where, here)
    if isinstance(expected, list):
        return _list(expected, found, where, here)
    if _kind(expected) != _kind(found):
        return f"{here} is {_a(found)}, expected {_a(expected)}"
    return None


def describe(found: Any, deep: int = _DEEP) -> str:
    """Such as `{predictions: [2 of number]}`, short."""
    if isinstance(found, dict):
        if deep == 0:
            return "{…}"
        first = islice(found.items(), _MOST_KEYS)
        inside = ", ".join(f"{_short(key)}: {describe(value, deep - 1)}" for key, value in first)
        return _short(f"{{{inside}}}")
    if isinstance(found, list):
        if not found:
            return "[]"
        return f"[{len(found)} of {describe(found[0], deep - 1) if deep else '…'}]"
    return _kind(found)


def _object(expected: dict[str, Any], found: Any, where: str, here: str) -> str | None:
    if not isinstance(found, dict):
        return f"{here} is {_a(found)}, expected an object"
    for key, value in expected.items():
        if key not in found:
            return f"{here} has no {_short(repr(key))}"
        if difference := differs(value, found[key], _place(where, key)):
            return difference
    return None


def _list(expected: list[Any], found: Any, where: str, here: str) -> str | None:
    if not isinstance(found, list):
        return f"{here} is {_a(found)}, expected a list"
    if expected and len(expected) != len(found):
        return f"{here} has {len(found)} elements, expected {len(expected)}"
    pairs = enumerate(zip(expected, found, strict=False))
    return next((bad for index, pair in pairs if (bad := differs(*pair, f"{where}[{index}]"))), None)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "list"
        case _:
            return "object"


def _a(value: Any) -> str:
    kind = _kind(value)
    return kind if kind == "null" else f"{'an' if kind == 'object' else 'a'} {kind}"


def _place(where: str, key: str) -> str:
    return f"{where}.{_short(key)}" if where else _short(key)


def _short(text: str, most: int = _LONG) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
