"""What runs beside the requests for as long as the app does: one that dies is logged and started again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from functions.logs import logger

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


class Background:
    """`tasks` by name; each is to run until it is cancelled. Used as a context: all have ended when it is left."""

    def __init__(
        self, tasks: Mapping[str, Callable[[], Awaitable[None]]], first_wait: float = FIRST_WAIT_SECONDS
    ) -> None:
        self._tasks = tasks
        self._first_wait = first_wait
        self._running: list[asyncio.Task[None]] = []
        self._ending = False

    async def __aenter__(self) -> Self:
        self._running = [asyncio.create_task(self._keep(name, run)) for name, run in self._tasks.items()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        wait = self._first_wait
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await run()
                logger().error("background task ended; restarting", action="background-task-died", task=name)
            except Exception:  # noqa: BLE001 - whatever it is, what the task does must go on
                logger().exception("background task died; restarting", action="background-task-died", task=name)
            if self._ending:  # its cancellation was lost in an error of its own
                return
            if clock() - began > LONGEST_WAIT_SECONDS:
                wait = self._first_wait
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
