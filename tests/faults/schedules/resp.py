"""Redis' protocol, as far as a proxy must read it: where a value ends, and what it says."""

from typing import Any


class Incomplete(Exception):
    """The value goes on beyond what has arrived."""


class Failure(str):  # noqa: SLOT000 - a few of them, for a moment
    """An error reply."""


def read(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends. Strings as str, errors as Failure. Raises Incomplete."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    kind, head, after = data[at : at + 1], data[at + 1 : end], end + 2
    match kind:
        case b"+" | b"," | b"(" | b"#":
            return head.decode(errors="replace"), after
        case b"-":
            return Failure(head.decode(errors="replace")), after
        case b":":
            return int(head), after
        case b"_":
            return None, after
        case b"$" | b"=" | b"!":
            size = int(head)
            if size < 0:
                return None, after
            if len(data) < after + size + 2:
                raise Incomplete
            text = data[after : after + size].decode(errors="replace")
            return (Failure(text) if kind == b"!" else text), after + size + 2
        case b"*" | b"~" | b">":
            return _items(data, after, int(head))
        case b"%":
            return _items(data, after, 2 * int(head))
        case _:
            raise ValueError(f"{data[at : at + 40]!r} is nothing that Redis says")


def read_all(data: bytes) -> list[Any]:
    """Every value of `data`; Incomplete where the last one goes on."""
    values, at = [], 0
    while at < len(data):
        value, at = read(data, at)
        values.append(value)
    return values


def _items(data: bytes, at: int, count: int) -> tuple[Any, int]:
    if count < 0:
        return None, at
    items = []
    for _ in range(count):
        item, at = read(data, at)
        items.append(item)
    return items, at
