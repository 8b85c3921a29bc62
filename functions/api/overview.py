"""Every model in one line each, kept in this process: what lists, counts and capacity are made from.

10,000 records take about a second to read from Redis and parse; a page must not. The lines are read once and then follow
the changes, which every commit writes that people are shown something of. They are read again now and then all the same,
beside the pages: what a process missed for whatever reason must not stay wrong.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.store import Store
from functions.lifecycle.errors import StoreUnavailable
from functions.lifecycle.quantity import memory_in_bytes
from functions.lifecycle.record import Record
from functions.logs import logger
from functions.object_errors import Stage, one_object

PAGE = 500
READ_AGAIN_SECONDS = 30.0
IN_USE_SECONDS = 120.0
Place = tuple[str, Kind]


@dataclass(frozen=True, slots=True)
class Freed:
    """What the stop of a model that is stopped now freed, and since when. Memory in bytes."""

    gpus: int
    memory: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Earlier:
    """What stops saved that have ended again, since when they are counted."""

    gpu_seconds: float
    memory_byte_seconds: int
    stops: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One model, as far as lists need it. `gpus_exact`: of those that it holds, or that its stop freed. `found` is what a search looks through, in lower case."""

    ref: ModelRef
    state: State
    reason: str | None
    gpus: int
    memory: int
    since: datetime | None
    found: str
    freed: Freed | None
    earlier: Earlier | None = None
    gpus_exact: bool = True


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over models; GPUs are those held, and those that stops freed."""

    models: int = 0
    gpus: int = 0
    freed: int = 0
    states: tuple[tuple[State, int], ...] = ()

    def state(self, state: State) -> int:
        return dict(self.states).get(state, 0)


class Overview:
    """Raises StoreUnavailable where Redis does not answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lines: dict[ModelRef, Line] = {}
        self._position = ""
        self._data = ""
        self._used = 0.0
        self._turn = asyncio.Lock()
        self._caught_up = 0.0
        self._revision = 0
        self._tallied = -1
        self._tallies: dict[Place, Tally] = {}

    async def lines(self, data: str) -> list[Line]:
        """As of now. `data` names Redis' present data (Store.synced): after a loss everything is read again."""
        asked = time.monotonic()
        async with self._turn:
            if self._caught_up < asked or data != self._data:
                await self._catch_up(data)
        return list(self._lines.values())

    async def tallies(self, data: str) -> Mapping[Place, Tally]:
        """By namespace and kind, recounted only if something has changed."""
        await self.lines(data)
        if self._tallied != self._revision:
            by_place: dict[Place, list[Line]] = defaultdict(list)
            for line in self._lines.values():
                by_place[line.ref.namespace, line.ref.kind].append(line)
            self._tallies = {place: tally(lines) for place, lines in by_place.items()}
            self._tallied = self._revision
        return self._tallies

    async def _catch_up(self, data: str) -> None:
        now = time.monotonic()
        if data != self._data or not await self._store.has_change(self._position):
            await self._read_all()
            self._data = data
        else:
            await self._follow()
        self._caught_up = self._used = now

    async def _read_all(self) -> None:
        self._position = await self._store.last_change()
        lines: dict[ModelRef, Line] = {}
        after = ""
        while subjects := await self._store.subjects(after, PAGE):
            refs = [ModelRef.from_subject(subject) for subject in subjects]
            for record in await self._store.records(refs):
                if record and record.state:
                    with one_object(Stage.RECORD, record.ref.subject):
                        lines[record.ref] = line_of(record)
            after = subjects[-1]
            await asyncio.sleep(0)
        self._lines = lines
        self._revision += 1

    async def _follow(self) -> None:
        while changes := [change async for change in self._store.changes(self._position, 0.001)]:
            refs = list(dict.fromkeys(change.ref for change in changes))
            for ref, record in zip(refs, await self._store.records(refs), strict=True):
                self._lines.pop(ref, None) if record is None or record.state is None else self._put(record)
            self._position = changes[-1].entry
            self._revision += 1

    def _put(self, record: Record) -> None:
        with one_object(Stage.RECORD, record.ref.subject):
            self._lines[record.ref] = line_of(record)

    async def _read_again(self) -> None:
        """Page by page, each page under the lock that callers take too: what is read here is never older than a change."""
        after = ""
        while subjects := await self._store.subjects(after, PAGE):
            refs = [ModelRef.from_subject(subject) for subject in subjects]
            async with self._turn:
                for ref, record in zip(refs, await self._store.records(refs), strict=True):
                    self._lines.pop(ref, None) if record is None or record.state is None else self._put(record)
                self._revision += 1
            after = subjects[-1]

    async def keep_warm(self) -> None:
        """Until cancelled: so that not even the first page waits for the first reading, and none for a later one."""
        while True:
            try:
                data = await self._store.synced()
                if data and not self._data:
                    await self.lines(data)
                elif data and time.monotonic() - self._used < IN_USE_SECONDS:
                    await self._read_again()
                await asyncio.sleep(READ_AGAIN_SECONDS if self._data else 1)
            except StoreUnavailable:
                await asyncio.sleep(1)
            except Exception:  # noqa: BLE001 - whatever it is, the lines must be read again later
                logger().exception("lines could not be read", action="overview")
                await asyncio.sleep(1)


def line_of(record: Record) -> Line:
    if record.state is None:
        raise ValueError(f"{record.ref} has not been looked at yet")
    labels = " ".join(f"{name}={value}" for name, value in record.labels.items())
    actors = " ".join(f"{hold.actor} {hold.claimed_actor or ''} {hold.reason or ''}" for hold in record.holds)
    words = (record.ref.name, record.ref.namespace, record.ref.kind.value, record.reason or "", labels, actors)
    return Line(
        ref=record.ref,
        state=record.state,
        reason=record.reason,
        gpus=record.gpus,
        memory=record.memory,
        since=record.since,
        found=" ".join(words).lower(),
        freed=_freed(record),
        earlier=_earlier(record),
        gpus_exact=_counted_exactly(record),
    )


def _counted_exactly(record: Record) -> bool:
    receipt = record.receipt if record.state is State.STOPPED else None
    return record.gpus_exact and (receipt is None or receipt.gpus_exact)


def _freed(record: Record) -> Freed | None:
    receipt = record.receipt
    if record.state is not State.STOPPED or receipt is None:
        return None
    return Freed(receipt.gpus, memory_in_bytes(receipt.memory), receipt.stopped_at)


def _earlier(record: Record) -> Earlier | None:
    saved = record.saved
    return Earlier(saved.gpu_seconds, saved.memory_byte_seconds, saved.stops, saved.since) if saved else None


def tally(lines: Iterable[Line]) -> Tally:
    listed = list(lines)
    return Tally(
        models=len(listed),
        gpus=sum(line.gpus for line in listed),
        freed=sum(line.freed.gpus for line in listed if line.freed),
        states=tuple(Counter(line.state for line in listed).items()),
    )


def together(tallies: Iterable[Tally]) -> Tally:
    listed = list(tallies)
    states: Counter[State] = Counter()
    for one in listed:
        states.update(dict(one.states))
    return Tally(
        sum(one.models for one in listed),
        sum(one.gpus for one in listed),
        sum(one.freed for one in listed),
        tuple(states.items()),
    )
