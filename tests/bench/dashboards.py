"""200 open dashboards on 1,000 models with 10 changes a second: what they cost, and whether each ends with the truth."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from figures import Goal, Row, median
from place import Place, client, parts, redis_server
from population import fill, records
from processes import Served, api, empty_sse

from events.status import State
from functions.adapters.store import Store
from functions.lifecycle.effects import AuditEntry
from functions.lifecycle.record import Record
from functions.reconcile.ports import Commit

DASHBOARDS = 200
MODELS = 1000
RATE = 10
SECONDS = 10
LAST_SECONDS = 30
_TICKS = 100  # of CPU time a second, as /proc counts them
_WHAT = f"{DASHBOARDS} dashboards on {MODELS:,} models, {RATE} changes/s"


@dataclass
class Seen:
    """What one dashboard was told: the last state by model, how many events, their bytes, and when it knew the end."""

    states: dict[str, str] = field(default_factory=dict)
    events: int = 0
    size: int = 0
    ended: float = 0.0


@dataclass(frozen=True)
class Spent:
    """One round of one server: CPU in % of one core, resident MiB, ms until the slowest dashboard had the last change."""

    cpu: float
    memory: float
    slowest: float
    events: int
    size: int


async def dashboards(place: Place) -> list[Row]:
    """Raises RuntimeError where a dashboard ends with anything but the last state of every model."""
    ours: list[Spent] = []
    peer: list[Spent] = []
    with redis_server() as redis_url:
        await fill(redis_url, MODELS)
        with client(redis_url) as redis:
            redis.set("{modelswitch}:synced", "1")
        environment = {**place.environment(redis_url), "LOG_LEVEL": "WARNING"}
        with api(place.folder, environment) as served, empty_sse(place.folder) as empty:
            changes = Changes()
            for _ in range(place.rounds):
                async with parts(redis_url) as made:
                    ours.append(await _round(served, lambda made=made: changes.commit(made.store), changes))
                peer.append(await _of_the_peer(empty, ours[-1]))
    how = (
        f"{SECONDS} s a round, ours and the peer's in turn; {ours[-1].events} events of {ours[-1].size} bytes a round, rows as "
        "HTML and sums, the peer's as many of that size; every dashboard ended each round with the last state of every model. The "
        "API also asks for each event and dashboard whether it may be seen, renders rows and reads Redis; the peer only sends"
    )
    server = "an empty FastAPI SSE server"
    rows = [
        Row(
            f"{_WHAT}: CPU of the API",
            server,
            _of(ours, "cpu"),
            _of(peer, "cpu"),
            "% of a core",
            Goal(4),
            len(ours),
            how,
        ),
        Row(
            *(f"{_WHAT}: the last change at the slowest", server, _of(ours, "slowest"), _of(peer, "slowest"), "ms"),
            *(Goal(1000, "amount"), len(ours), how),
        ),
        Row(
            *(f"{_WHAT}: API memory", server, _of(ours, "memory"), _of(peer, "memory"), "MiB"),
            *(Goal(80, "difference"), len(ours), how),
        ),
    ]
    return rows


def _of(spent: list[Spent], name: str) -> float:
    return median([getattr(one, name) for one in spent])


class Changes:
    """Goes round the models, each time with another state; knows what each must end with."""

    def __init__(self) -> None:
        self.known = list(records(MODELS))
        self.revisions = [1] * MODELS
        self.number = 0
        self.ends: dict[str, str] = {}

    async def commit(self, store: Store) -> str:
        """The key of the model that was changed."""
        index, self.number = self.number % MODELS, self.number + 1
        before = self.known[index]
        state = State.STOPPED if before.state is State.RUNNING else State.RUNNING
        after = before.model_copy(update={"state": state, "version": before.version + 1, "gpus": self.number % 3})
        committed = await store.commit(Commit(after.ref, self.revisions[index], after, audit=(_entry(before, after),)))
        if committed.conflict or committed.stale:
            raise RuntimeError(f"{after.ref} was not committed: {committed}")
        self.known[index], self.revisions[index] = after, self.revisions[index] + 1
        key = f"{after.ref.namespace}/{after.ref.kind.value}/{after.ref.name}"
        self.ends[key] = state.value
        return key


def _entry(before: Record, after: Record) -> AuditEntry:
    moment = after.observed_at
    if moment is None:
        raise RuntimeError("the population was looked at")
    return AuditEntry(moment, after.ref, "state", "modelswitch", state=after.state, previous=before.state)


async def _round(served: Served, change: Callable[[], Awaitable[str]], changes: Changes) -> Spent:
    changes.ends.clear()
    seen = [Seen() for _ in range(DASHBOARDS)]
    async with _watching(served, seen) as last:
        began, before = time.monotonic(), _cpu(served)
        for number in range(SECONDS * RATE):
            last.name = await change()
            await asyncio.sleep(max(0.0, began + (number + 1) / RATE - time.monotonic()))
        last.name, sent = await change(), time.monotonic()
        await _until(lambda: all(one.states == changes.ends for one in seen), seen, changes.ends)
        spent = 100 * (_cpu(served) - before) / (time.monotonic() - began)
        events, size = sum(one.events for one in seen), sum(one.size for one in seen)
        slowest = max(one.ended for one in seen) - sent
        return Spent(spent, served.memory(), 1000 * slowest, events, round(size / events))


async def _of_the_peer(empty: Served, ours: Spent) -> Spent:
    """As many events of the same size, evenly over the same time."""
    count = round(ours.events / DASHBOARDS)
    seen = [Seen() for _ in range(DASHBOARDS)]
    pause = SECONDS / count
    async with aiohttp.ClientSession() as session, _watching(empty, seen) as last:
        began, before = time.monotonic(), _cpu(empty)
        for number in range(count):
            key = f"team/InferenceService/{number}"
            sent = time.monotonic()
            last.name = key
            head = json.dumps({"key": key, "state": "running"})[:-1]
            body = f'{head}, "html": "{"x" * max(0, ours.size - len(head) - 12)}"}}'
            async with session.post(f"{empty.url}/send", data=body) as answer:
                answer.raise_for_status()
            await asyncio.sleep(max(0.0, began + (number + 1) * pause - time.monotonic()))
        await _until(lambda: all(one.events == count for one in seen), seen, {})
        spent = 100 * (_cpu(empty) - before) / (time.monotonic() - began)
        slowest = max(one.ended for one in seen) - sent
        return Spent(spent, empty.memory(), 1000 * slowest, count * DASHBOARDS, ours.size)


@dataclass
class Last:
    """The model that was changed last."""

    name: str = ""


@contextlib.asynccontextmanager
async def _watching(served: Served, seen: list[Seen]) -> AsyncIterator[Last]:
    """All dashboards open; closed on leaving."""
    last = Last()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        opened = [asyncio.Event() for _ in seen]
        watching = zip(seen, opened, strict=True)
        tasks = [asyncio.create_task(_watch(session, f"{served.url}/live", one, up, last)) for one, up in watching]
        try:
            await asyncio.wait_for(asyncio.gather(*(up.wait() for up in opened)), LAST_SECONDS)
            yield last
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(session: aiohttp.ClientSession, url: str, seen: Seen, opened: asyncio.Event, last: Last) -> None:
    async with session.get(url) as answer:
        async for line in answer.content:
            opened.set()
            if not line.startswith(b"data:"):
                continue
            seen.events += 1
            seen.size += len(line)
            told = json.loads(line.removeprefix(b"data:"))
            if "key" in told:
                seen.states[told["key"]] = told["state"]
                if told["key"] == last.name:
                    seen.ended = time.monotonic()


async def _until(done: Callable[[], bool], seen: list[Seen], ends: dict[str, str]) -> None:
    until = time.monotonic() + LAST_SECONDS
    while not done():
        if time.monotonic() > until:
            missed = sum(one.states != ends for one in seen)
            raise RuntimeError(f"{missed} of {len(seen)} dashboards missed a last state")
        await asyncio.sleep(0.01)


def _cpu(served: Served) -> float:
    """Seconds that the process has computed."""
    fields = Path(f"/proc/{served.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
