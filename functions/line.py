"""A model's line is carried out behind the command that was answered, and by the timer where its process died."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from events.model import ModelRef
from functions.lifecycle.errors import StepError
from functions.logs import logger
from functions.reconcile.command import NOTHING
from functions.reconciler import Reconciler

AT_ONCE = 64  # commands behind one that was answered: a full line; what comes after them is left to the timer


class Line:
    """`publish` is called once something was done."""

    def __init__(self, reconciler: Reconciler, publish: Callable[[], Awaitable[object]]) -> None:
        self._reconciler, self._publish = reconciler, publish
        self._wanted: set[ModelRef] = set()
        self._at_work: set[ModelRef] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def go_on(self, ref: ModelRef) -> None:
        """In the background: the caller's own command is answered."""
        self._wanted.add(ref)
        if ref not in self._at_work:
            self._at_work.add(ref)
            task = asyncio.create_task(self._behind(ref))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self, ref: ModelRef, seconds: float = math.inf) -> int:
        """How many commands of this model were taken, begun within that time.

        Never raises what one of them failed with: its turn comes again.
        """
        until = asyncio.get_running_loop().time() + seconds
        for taken in range(AT_ONCE):
            if asyncio.get_running_loop().time() > until:
                return taken
            try:
                answer = await self._reconciler.next_in_line(ref)
            except StepError as error:
                logger().warning(error.code, action="line", model=ref.subject, error=error.message)
                return taken
            except Exception:  # noqa: BLE001 - one model's command must not end what goes on for others
                logger().exception("failed", action="line", model=ref.subject)
                return taken
            if answer == NOTHING:
                return taken
        return AT_ONCE

    async def close(self) -> None:
        """The command at work gives its lease back; the timer goes on with the line."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _behind(self, ref: ModelRef) -> None:
        taken = 0
        try:
            while ref in self._wanted:
                self._wanted.discard(ref)
                taken += await self.drain(ref)
        finally:
            self._at_work.discard(ref)
        if taken:
            try:
                await self._publish()
            except StepError as error:
                logger().warning("outbox not flushed; the tick will", action="publish", error=error.message)
