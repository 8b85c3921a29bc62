"""What Redis does for us: the commit against a plain SET, and how much 10,000 models take."""

import json
import time
from typing import Any

from figures import Goal, Row, median
from place import Place, client, parts, redis_server
from population import audit, fill, records

from events.commands import StopRequested
from functions.adapters.store import Store
from functions.lifecycle.effects import StepAnswer
from functions.lifecycle.record import Record
from functions.lifecycle.request import Request
from functions.reconcile.ports import Commit

COMMITS = 500
MODELS = 10_000
AUDIT_ENTRIES = 10


class _Timed:
    """Stands where the store keeps its registered script: runs it, and keeps the time and size of each call."""

    def __init__(self, script: Any) -> None:
        self._script = script
        self.seconds, self.sizes = 0.0, list[int]()

    async def __call__(self, keys: list[str], args: list[str]) -> Any:
        began = time.perf_counter()
        reply = await self._script(keys=keys, args=args)
        self.seconds += time.perf_counter() - began
        self.sizes.append(sum(len(str(part).encode()) for part in args))
        if reply != "ok":
            raise RuntimeError(f"the commit answered {reply}")
        return reply


async def lua_commit(place: Place) -> list[Row]:
    ours: list[float] = []
    plain: list[float] = []
    size = 0
    with redis_server() as redis_url:
        async with parts(redis_url) as made:
            store = made.store
            for number in range(place.rounds):
                timer = await _commits(store, number)
                size = round(median(timer.sizes))
                ours.append(COMMITS / timer.seconds)
                plain.append(COMMITS / await _sets(store, timer.sizes))
        with client(redis_url) as redis:
            stats = redis.info("commandstats")
    inside = {name: stats[f"cmdstat_{name}"]["usec_per_call"] for name in ("evalsha", "set")}
    how = (
        f"{COMMITS} one after another per round on one connection, {size} bytes each, the answer awaited; inside Redis "
        f"{inside['evalsha']:.0f} µs for a script (claims included) and {inside['set']:.0f} µs for SET"
    )
    goal = Goal(0.5, at_least=True)
    return [Row("the Lua commit", "SET of the same size", median(ours), median(plain), "calls/s", goal, len(ours), how)]


async def _commits(store: Store, number: int) -> _Timed:
    known = list(records(COMMITS))
    requests = [_request(record, number) for record in known]
    claims = [await store.claim(request) for request in requests]
    script, timer = store._commit, _Timed(store._commit)
    store._commit = timer  # type: ignore[assignment]
    try:
        for record, request, claimed in zip(known, requests, claims, strict=True):
            answer = StepAnswer(202, json.loads(record.status().model_dump_json()), changed=True)
            commit = Commit(record.ref, claimed.revision, record, claimed.token, request, answer, audit(record, 1))
            await store.commit(commit)
    finally:
        store._commit = script
    return timer


def _request(record: Record, number: int) -> Request:
    return Request(record.ref, StopRequested(reason="bench"), "/bench", f"{number}-{record.ref.name}", "bench")


async def _sets(store: Store, sizes: list[int]) -> float:
    total = 0.0
    for number, size in enumerate(sizes):
        value = "x" * size
        began = time.perf_counter()
        await store._redis.set(f"plain:{number}", value)
        total += time.perf_counter() - began
    return total


async def redis_memory(place: Place) -> list[Row]:
    with redis_server() as redis_url, client(redis_url) as redis:
        empty = redis.info("memory")["used_memory"]
        await fill(redis_url, MODELS, audit_entries=AUDIT_ENTRIES)
        streams = list(redis.scan_iter("{modelswitch}:history*", count=1000))
        if sum(redis.xlen(stream) for stream in streams) < MODELS * AUDIT_ENTRIES * 0.95:
            raise RuntimeError("the history was cut")
        used = (redis.info("memory")["used_memory"] - empty) / 1024**2
        history = sum(redis.memory_usage(stream, samples=0) for stream in streams) / 1024**2
    how = (
        f"used_memory above an empty server; {history:.0f} MiB of it are the history. A command by event that is remembered "
        "(seven days) takes 0.3 KiB more"
    )
    name = f"Redis memory, {MODELS:,} models with {AUDIT_ENTRIES} audit entries each"
    return [Row(name, "–", used, None, "MiB", Goal(50, "amount"), 1, how)]
