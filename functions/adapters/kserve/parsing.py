"""Reading what tenants wrote into Kubernetes objects: each field has the type and bounds that we expect, or is left
out.

Code behind this never sees the raw object: KServe's schemas keep unknown fields in places, pods carry what any tenant
put into them, and a value of another kind anywhere must cost its own model only. What was left out is told, field by
field.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from events.errors import ModelswitchError
from functions.lifecycle.unusable import Unusable

Path = tuple[str | int, ...]
_ROUNDS = 8  # taking a list's element out can only show what was behind it in a few places
_TOLD = 20
_SHOWN = 60
_GONE = object()


class Unreadable(ModelswitchError, ValueError):
    """Nothing of an object can be read, not even which one it is."""


class Schema:
    """What an object's fields must be, as a TypedDict.

    Built at the first use: a function's start must not wait for it.
    """

    def __init__(self, fields: Any) -> None:
        self._fields = fields

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._fields)


class Parsed(dict[str, Any]):
    """An object of which every field is as its schema says; `unusable` are the fields that were
    not, and are left out.
    """

    unusable: tuple[Unusable, ...] = ()


def parse(schema: Schema, raw: object, what: str = "") -> Parsed:
    """`what` names the object behind its fields, such as "pod scorer-1"; none for the model's own.

    What was parsed already is returned as it is.
    """
    if isinstance(raw, Parsed):
        return raw
    left_out: list[Unusable] = []
    rest = raw
    for _ in range(_ROUNDS):
        try:
            parsed = Parsed(schema.adapter.validate_python(rest, strict=True))
        except ValidationError as error:
            found = [
                (tuple(one["loc"]), _expected(one)) for one in error.errors(include_url=False, include_input=False)
            ]
            left_out += [_unusable(rest, path, message, what) for path, message in found[: _TOLD - len(left_out)]]
            rest = _without(rest, [path for path, _ in found])
            if rest is _GONE:
                break
        else:
            parsed.unusable = tuple(left_out)
            return parsed
    nothing = Parsed()
    nothing.unusable = (
        *left_out,
        Unusable(what or "the object", "not readable at all", "an object as Kubernetes has it"),
    )
    return nothing


def _without(value: Any, paths: Sequence[Path]) -> Any:
    """A copy that shares what is unchanged. Where a path's end is not there, what should have had it goes."""
    if not all(paths):
        return _GONE
    inside: dict[str | int, list[Path]] = defaultdict(list)
    for path in paths:
        inside[path[0]].append(path[1:])
    if isinstance(value, dict):
        copy = dict(value)
        for key, rest in inside.items():
            if key not in copy:
                return _GONE
            _put(copy, key, _without(copy[key], rest))
        return copy
    if isinstance(value, list):
        kept = {index: _without(value[index], rest) for index, rest in inside.items() if isinstance(index, int)}
        return [new for index, old in enumerate(value) if (new := kept.get(index, old)) is not _GONE]
    return _GONE


def _put(copy: dict[Any, Any], key: Any, value: Any) -> None:
    if value is _GONE:
        del copy[key]
    else:
        copy[key] = value


def _unusable(raw: Any, path: Path, message: str, what: str) -> Unusable:
    return Unusable(" of ".join(part for part in (field_name(path), what) if part), _found(raw, path), message)


def _expected(error: Any) -> str:
    """Our own words, and those of pydantic's that a person may be shown."""
    if error["type"] == "string_pattern_mismatch":
        return "a name as Kubernetes has them (lower case letters, digits, - and .)"
    words = str(error["msg"])
    for beginning in ("Value error, ", "Input should be ", "String should have ", "List should have "):
        words = words.removeprefix(beginning)
    return words[:200]


def field_name(path: Iterable[str | int]) -> str:
    """As kubectl explain writes it: `spec.containers[0].resources`."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{str(part)[:_SHOWN]}"
    return name.removeprefix(".")[:200] or "the object"


def _found(value: Any, path: Path) -> str:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return "missing"
    return shown(value)


def shown(value: object) -> str:
    """A value in a few words; never more than a little of it, and no digits of a number that has thousands."""
    match value:
        case None:
            return "null"
        case bool() | float():
            return str(value)
        case int():
            return str(value) if value.bit_length() <= 128 else f"a number of {value.bit_length()} bits"
        case str():
            text = ascii(value[:_SHOWN])
            return text if len(value) <= _SHOWN else f"{text}… of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"
