"""A Trigger's filters as one function over an event's attributes.

The dialects of Knative's subscriptions API (exact, prefix, suffix, all, any, not) and the older `filter.attributes`.
CESQL is refused when the manifests are read: this broker does not evaluate it.
"""

from collections.abc import Callable, Mapping
from typing import Any

Matches = Callable[[Mapping[str, str]], bool]


class Unsupported(ValueError):
    """A filter that this broker can't evaluate, or that is none."""


def compile_filters(spec: Mapping[str, Any]) -> Matches:
    """From a Trigger's spec. `filters` wins over `filter`, as in Knative; neither: everything matches."""
    if filters := spec.get("filters"):
        return _all([_one(item) for item in filters])
    attributes = (spec.get("filter") or {}).get("attributes") or {}
    return _all([_legacy(name, str(value)) for name, value in attributes.items()])


def _one(item: Any) -> Matches:
    if not isinstance(item, dict) or len(item) != 1:
        raise Unsupported(f"a filter is one dialect with its argument; this is {item!r}")
    ((dialect, argument),) = item.items()
    match dialect:
        case "exact":
            return _compare(dialect, argument, str.__eq__)
        case "prefix":
            return _compare(dialect, argument, str.startswith)
        case "suffix":
            return _compare(dialect, argument, str.endswith)
        case "all":
            return _all([_one(inner) for inner in argument])
        case "any":
            return _any([_one(inner) for inner in argument])
        case "not":
            inner = _one(argument)
            return lambda attributes: not inner(attributes)
        case _:
            raise Unsupported(f"filter dialect {dialect!r}; here are exact, prefix, suffix, all, any and not")


def _compare(dialect: str, argument: Any, test: Callable[[str, str], bool]) -> Matches:
    if not isinstance(argument, dict) or not argument:
        raise Unsupported(f"filter {dialect} wants attributes with values; this is {argument!r}")
    expected = {name: str(value) for name, value in argument.items()}
    return lambda attributes: all(
        name in attributes and test(attributes[name], value) for name, value in expected.items()
    )


def _legacy(name: str, value: str) -> Matches:
    """`filter.attributes`: an empty value asks only that the attribute is there."""
    return lambda attributes: name in attributes and value in {"", attributes[name]}


def _all(inner: list[Matches]) -> Matches:
    return lambda attributes: all(matches(attributes) for matches in inner)


def _any(inner: list[Matches]) -> Matches:
    return lambda attributes: any(matches(attributes) for matches in inner)
