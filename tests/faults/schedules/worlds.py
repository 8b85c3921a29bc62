"""Many schedules, in worlds side by side: each plays one at a time, so that a fault hits only what its schedule has in flight."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from api_session import named_kubeconfig

from schedules.plan import draw
from schedules.play import Played, play
from schedules.world import World

FRESH_WORLD_AFTER = 100
"""Schedules; then a new API server, so that its history of objects does not grow for hours."""
WORLDS = 2
"""A schedule mostly waits. On a real API server there is one, since a tick looks at every namespace."""
WORTH_A_WORLD = 10
"""Schedules: starting a world takes as long as some of them do."""

RIG_FAILURES = (TimeoutError, OSError, RuntimeError)
Sprung = Counter[tuple[str, str, str, str]]


async def play_all(seeds: Iterable[int], folder: Path, sprung: Sprung) -> AsyncIterator[Played]:
    """As they are done. Adds to `sprung` at which I/Os faults came in."""
    given = list(seeds)
    waiting, done = iter(given), asyncio.Queue[Played | None]()
    count = 1 if named_kubeconfig() or len(given) < WORTH_A_WORLD else WORLDS
    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(_work(waiting, folder / f"world-{n}", done, sprung)) for n in range(count)]
        for _ in workers:
            while played := await done.get():
                yield played


async def _work(waiting: Iterator[int], folder: Path, done: asyncio.Queue[Played | None], sprung: Sprung) -> None:
    """Where the rig itself fails (a machine too busy to start a process in time), a fresh one plays that schedule again, once."""
    failed: set[int] = set()
    try:
        seed = next(waiting, None)
        while seed is not None:
            place = folder / f"from-{seed}{'-again' * (seed in failed)}"
            place.mkdir(parents=True)
            try:
                async with World(place) as world:
                    for _ in range(FRESH_WORLD_AFTER):
                        await done.put(await play(world, draw(seed)))
                        seed = next(waiting, None)
                        if seed is None:
                            break
                    sprung += world.traps.sprung
            except RIG_FAILURES as error:
                if seed is None or seed in failed:
                    raise
                failed.add(seed)
                print(f"seed={seed} is played again: the rig failed with {error!r}", flush=True)
    finally:
        await done.put(None)
