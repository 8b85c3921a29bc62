"""What can happen to Redis, one thing at a time."""

import asyncio
import random
import signal
from collections.abc import Callable
from typing import Any

from schedules.history import History
from schedules.valkey import Pair

AWAY_SECONDS = 0.3


class StoreFaults:
    """`cut` breaks every connection to Redis. What comes while something else is going on is left out, and that is noted."""

    def __init__(self, pair: Pair, cut: Callable[[], None]) -> None:
        self._pair, self._cut = pair, cut
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def kill(self) -> None:
        """kill -9; what was written is in the append-only file. It starts again a moment later."""
        if self._lock.locked():
            return
        await self._lock.acquire()
        await self._pair.server.kill()
        task = asyncio.create_task(self._come_back())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _come_back(self) -> None:
        try:
            await self._pair.restart(random.uniform(0, AWAY_SECONDS))
        finally:
            self._lock.release()

    async def flush(self, history: History) -> None:
        if not self._lock.locked():
            async with self._lock:
                await self._pair.client.flushall()
                history.add("data-lost", how="FLUSHALL")

    async def run(self, what: str, seconds: float, history: History) -> None:
        if self._lock.locked():
            history.add("note", text=f"{what} left out: something else happens to Redis")
            return
        async with self._lock:
            history.add("fault", action=what, seconds=seconds)
            work = {"redis-stall": self._stall, "redis-full": self._fill, "promote": self._promote}[what]
            try:
                await work(seconds, history)
            except TimeoutError:
                history.add("note", text=f"{what} was given up: this machine is too busy")
            else:
                history.add("note", text=f"{what} is over")

    async def over(self) -> None:
        """Until Redis is as it should be."""
        async with self._lock:
            return

    async def _stall(self, seconds: float, _: History) -> None:
        self._pair.server.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._pair.server.signal(signal.SIGCONT)

    async def _fill(self, seconds: float, _: History) -> None:
        await self._pair.client.config_set("maxmemory", "500kb")
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._pair.client.config_set("maxmemory", "256mb")

    async def _promote(self, seconds: float, history: History) -> None:
        """A replica that has not heard of the last `seconds` becomes the primary."""
        await self._pair.follow()
        self._pair.fall_behind()
        begun = history.add("note", text="the replica falls behind")
        await asyncio.sleep(seconds)
        await self._pair.promote()
        self._cut()
        history.add("data-lost", how="promotion", since=begun.seconds)
