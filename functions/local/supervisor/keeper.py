"""One part's life: started when what it needs is ready, watched until it is ready itself, started again when it dies."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping

from functions.local.supervisor.children import Children
from functions.local.supervisor.part import Ends, Part, Says
from functions.local.supervisor.readiness import until_ready

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""Who lived this long starts with the first wait again."""


class Keeper:
    """`ready` is set while the part is up. `others`: the keepers by name, for what it needs. `changed` is told of each start and end."""

    def __init__(
        self, part: Part, others: Mapping[str, "Keeper"], say: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self.part = part
        self.ready = asyncio.Event()
        self.pid: int | None = None
        self._say = say
        self._others = others
        self._changed = changed
        self._again = asyncio.Event()
        self._said = asyncio.Event()
        self._wait = FIRST_WAIT_SECONDS

    def hear(self, text: str) -> None:
        """A line that the part printed."""
        if isinstance(self.part.ready, Says) and self.part.ready.text in text:
            self._said.set()

    async def run(self, children: Children) -> None:
        """Until cancelled. What is running then goes on; ending it is the supervisor's."""
        self.ready.clear()
        self.pid = None
        while True:
            for name in self.part.needs:
                await self._others[name].ready.wait()
            self._again.clear()
            begun = time.monotonic()
            code = await self._live(children)
            if isinstance(self.part.ready, Ends) and code == 0:
                self.ready.set()
                await self._again.wait()
                self.ready.clear()
                continue
            if time.monotonic() - begun > STEADY_SECONDS:
                self._wait = FIRST_WAIT_SECONDS
            self._say(f"{self.part.name} ended ({_describe(code)}); it starts again in {self._wait:g} s")
            await asyncio.sleep(self._wait)
            self._wait = min(self._wait * 2, LONGEST_WAIT_SECONDS)

    async def _live(self, children: Children) -> int:
        """From start to end; answers the exit code."""
        self._said.clear()
        self.pid, ended = await children.start(self.part)
        self._changed()
        for other in self._others.values():
            if self.part.name in other.part.needs:
                other._again.set()  # noqa: SLF001 - its own class
        watching = asyncio.create_task(self._become_ready())
        try:
            code = await asyncio.shield(ended)
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
        self.ready.clear()
        children.signal(self.pid, signal.SIGKILL, group=True)  # a worker that outlives its master holds the port
        self.pid = None
        self._changed()
        return code

    async def _become_ready(self) -> None:
        ready = self.part.ready
        if isinstance(ready, Ends):
            return
        if isinstance(ready, Says):
            await self._said.wait()
        else:
            await until_ready(ready)
        self.ready.set()


def _describe(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
