"""Makes states that differ only in ids, versions and clocks the same state.

Every growing number that a step can see is drawn from a range of its own, so that it can be found wherever it stands:
in a field, in a key, in the middle of a text. A canonical state uses the lowest numbers of each range, order kept.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from builders import NOW
from pydantic import BaseModel

SEQUENCE, VERSION, REVISION, UID = 6_000_000, 7_000_000, 8_000_000, 9_000_000
_RANGE = 1_000_000
_NUMBER = re.compile(r"(?<!\d)[6-9]00\d{4}(?!\d)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
JUMP = timedelta(seconds=70)
_OLDEST = NOW - 3 * JUMP


def numbers_in(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(found) for found in _NUMBER.findall(text)}))


def lowest(numbers: Iterable[int]) -> dict[int, int]:
    """The numbers, each mapped to its rank within its range."""
    ranks: dict[int, int] = {}
    counts: dict[int, int] = {}
    for number in sorted(numbers):
        family = number // _RANGE
        counts[family] = counts.get(family, 0) + 1
        ranks[number] = family * _RANGE + counts[family]
    return ranks


def rewrite(value: Any, number: Callable[[int], int], moment: Callable[[datetime], datetime] | None = None) -> Any:
    """The same value with other numbers, and where `moment` is given other times."""

    def go(part: Any) -> Any:
        return rewrite(part, number, moment)

    match value:
        case None | bool() | float() | Enum() | timedelta():
            return value
        case int():
            return number(value)
        case str():
            return _rewrite_text(value, number, moment)
        case datetime():
            return moment(value) if moment else value
        case BaseModel():
            return value.model_copy(update={name: go(getattr(value, name)) for name in type(value).model_fields})
        case Mapping():
            return {go(key): go(item) for key, item in value.items()}
        case tuple():
            return tuple(go(item) for item in value)
        case _ if is_dataclass(value):
            return replace(value, **{field.name: go(getattr(value, field.name)) for field in fields(value)})
        case _:
            return value


def _rewrite_text(text: str, number: Callable[[int], int], moment: Callable[[datetime], datetime] | None) -> str:
    text = _NUMBER.sub(lambda found: str(number(int(found.group()))), text)
    if moment is None:
        return text
    return _MOMENT.sub(lambda found: moment(datetime.fromisoformat(found.group())).isoformat()[:19] + "Z", text)


def older(moment: datetime) -> datetime:
    """A moment after one jump of time, seen from a clock that always shows NOW; beyond three jumps all are the same."""
    return max(moment - JUMP, _OLDEST)


class Pool:
    """Values by small numbers. Number 0 is None; equal values (by their repr) have one number."""

    def __init__(self) -> None:
        self.values: list[Any] = [None]
        self.numbers: list[tuple[int, ...]] = [()]
        self._known: dict[str, int] = {"None": 0}
        self._renamed: dict[tuple[int, ...], int] = {}
        self._aged: dict[int, int] = {}

    def put(self, value: Any) -> int:
        text = repr(value)
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = len(self.values)
            self.values.append(value)
            self.numbers.append(numbers_in(text))
        return found

    def rename(self, identity: int, ranks: Mapping[int, int]) -> int:
        old = self.numbers[identity]
        if not old:
            return identity
        key = (identity, *[ranks[number] for number in old])
        found = self._renamed.get(key)
        if found is None:
            found = self._renamed[key] = self.put(rewrite(self.values[identity], lambda n: ranks.get(n, n)))
        return found

    def age(self, identity: int) -> int:
        found = self._aged.get(identity)
        if found is None:
            aged = rewrite(self.values[identity], lambda n: n, older)
            if hasattr(aged, "observed_at"):
                aged = aged.model_copy(update={"observed_at": NOW})
            found = self._aged[identity] = self.put(aged)
        return found
