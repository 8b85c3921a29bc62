"""One schedule, played in a world: its events in order, then the settling, then the verdict."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from schedules.courier import REST_SOURCE, SOURCE
from schedules.history import History
from schedules.judge import Verdict, judge
from schedules.kubernetes_proxy import STOP
from schedules.leases import end_orphans
from schedules.plan import API_AT_TIME, MODELS, STORE_AT_TIME, Event, Schedule
from schedules.settle import settle
from schedules.traps import REACHES, Trap
from schedules.world import WATCHERS, World

READY_SECONDS = 60.0


@dataclass(frozen=True)
class Played:
    """`ticks`: how many it took until all agreed."""

    schedule: Schedule
    verdict: Verdict
    history: History
    seconds: float
    ticks: int


async def play(world: World, schedule: Schedule) -> Played:
    begun = time.monotonic()
    history = world.history = world.claims.history = History()
    world.claims.forget()
    world.courier.begin(schedule, history)
    names = [f"m{schedule.seed}-{number}" for number in range(MODELS)]
    await _ready(world, names)
    async with contextlib.AsyncExitStack() as stack:
        if schedule.lease_seconds is not None:
            ending = asyncio.create_task(end_orphans(world, schedule.lease_seconds))
            stack.callback(ending.cancel)
        await _events(world, schedule, names)
        ticks = await settle(world, names)
    for name in names:
        await world.cluster.delete(name)
    return Played(schedule, judge(history), history, time.monotonic() - begun, ticks)


async def _ready(world: World, names: list[str]) -> None:
    for name in names:
        await world.cluster.make(name)
    async with asyncio.timeout(READY_SECONDS):
        for name in names:
            while not any(
                one["type"] == "Ready" and one["status"] == "True"
                for one in ((await world.cluster.model(name)).get("status") or {}).get("conditions") or []
            ):
                await asyncio.sleep(0.03)


async def _events(world: World, schedule: Schedule, names: list[str]) -> None:
    beside: set[asyncio.Task[None]] = set()
    for number, event in enumerate(schedule.events):
        await asyncio.sleep(event.gap)
        work = _event(world, schedule, names[event.model], number, event)
        beside.add(asyncio.create_task(work))
        await asyncio.sleep(0)
    await asyncio.gather(*beside)
    await asyncio.sleep(0.3)
    world.traps.clear()
    await world.store.over()


async def _event(world: World, schedule: Schedule, name: str, number: int, event: Event) -> None:
    if event.what in {"stop", "start"}:
        _command(world, schedule, name, number, event)
    elif event.what == "tick":
        world.courier.tick_beside()
    elif event.what == "outside":
        await world.cluster.annotate(name, STOP, event.more["value"])
        world.history.add("outside", model=name, after=event.more["value"] == "true")
    elif event.what in REACHES:
        more = event.more
        world.traps.set(Trap(event.what, more["process"], more["at"], more.get("moment", "before"), more.get("io")))
    elif event.what in STORE_AT_TIME:
        await world.store.run(event.what, event.more["seconds"], world.history)
    elif event.what in API_AT_TIME:
        world.history.add("fault", action=event.what)
        for watcher in WATCHERS:
            world.kubernetes_proxies[watcher].drop_watches(expired=event.what == "watch-410")


def _command(world: World, schedule: Schedule, name: str, number: int, event: Event) -> None:
    by = event.more["by"]
    key = f"{REST_SOURCE if by == 'rest' else SOURCE} {world.cluster.namespace}-{schedule.seed}-{number}"
    world.claims.expect(key, event.what, world.cluster.ref(name).subject, by_event=by != "rest")
    world.history.add("sent", model=name, key=key, verb=event.what, by=by, copies=len(event.more["delays"]))
    world.courier.command(world.cluster.ref(name), event.what, key, event.more)
