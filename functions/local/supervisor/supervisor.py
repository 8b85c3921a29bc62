"""Starts every part, keeps them going, and ends them all."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from functions.local.supervisor.banner import banner
from functions.local.supervisor.children import BEFORE, Children
from functions.local.supervisor.keeper import Keeper
from functions.local.supervisor.output import Output, pump
from functions.local.supervisor.part import Part
from functions.local.supervisor.plan import Plan
from functions.local.supervisor.ports import HOST
from functions.local.supervisor.readiness import why_not
from functions.local.supervisor.settings import Settings
from functions.same_origin import refusal

END_SECONDS = 3.0
"""How long a part may take to end by itself."""
PAUSE_SECONDS = 0.5
IN_TROUBLE_SECONDS = 10.0


class Supervisor:
    """`run` returns when a signal came and everything has ended."""

    def __init__(self, settings: Settings, plan: Plan, held: Sequence[int]) -> None:
        names = [part.name for part in plan.parts]
        self._settings = settings
        self._plan = plan
        self._held = held
        self._output = Output(names)
        self._keepers: dict[str, Keeper] = {}
        for part in plan.parts:
            self._keepers[part.name] = Keeper(part, self._keepers, self._output.say, self._note_processes)
        self._children: Children | None = None
        self._over = asyncio.Event()

    async def run(self) -> None:
        begun = time.monotonic()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_end)
        watched = await asyncio.start_server(self._answer_watched, HOST, self._plan.watched_port)
        outputs = {name: os.pipe() for name in self._keepers}
        pumps = [asyncio.create_task(pump(reading, self._hearing(name))) for name, (reading, _) in outputs.items()]
        telling = asyncio.create_task(self._tell(begun))
        try:
            while not self._over.is_set():
                await self._generation({name: writing for name, (_, writing) in outputs.items()})
        finally:
            telling.cancel()
            watched.close()
            for _, writing in outputs.values():
                os.close(writing)
            await asyncio.wait(pumps, timeout=1)
        self._output.say("modelswitch has ended.")

    async def _generation(self, outputs: Mapping[str, int]) -> None:
        """As long as one prefork server lives: usually all the time."""
        lost = asyncio.Event()
        children = await Children.open(outputs, self._held, self._plan.environment, lost.set)
        keeping: list[asyncio.Task[None]] = []
        for imports, modules in BEFORE.items():
            children.preload(modules)
            mine = [keeper for keeper in self._keepers.values() if keeper.part.imports == imports]
            keeping += [asyncio.create_task(self._keep(keeper, children)) for keeper in mine]
            await asyncio.sleep(0)  # their orders go out before the next imports do
        ends = [asyncio.create_task(event.wait()) for event in (lost, self._over)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in [*keeping, *ends]:
            task.cancel()
        await asyncio.gather(*keeping, *ends, return_exceptions=True)
        if self._over.is_set():
            await self._end(children)
        else:
            self._output.say("the process that starts the parts died; everything starts again")
            self._signal(children, [keeper.part for keeper in self._keepers.values()], signal.SIGKILL, group=True)
            await asyncio.sleep(PAUSE_SECONDS)
        await children.close()

    async def _keep(self, keeper: Keeper, children: Children) -> None:
        try:
            await keeper.run(children)
        except Exception as error:
            self._output.say(f"{keeper.part.name} is not looked after any more: {error!r}")
            raise

    def _hearing(self, name: str) -> Callable[[str], None]:
        def hear(text: str) -> None:
            self._output.line(name, text)
            self._keepers[name].hear(text)

        return hear

    def _asked_to_end(self) -> None:
        if self._over.is_set():
            return
        self._output.say("\nending everything …")
        self._over.set()

    async def _end(self, children: Children) -> None:
        """First those that talk to the others, then what they talk to."""
        children.start_nothing_more()
        for last in (False, True):
            parts = [keeper.part for keeper in self._keepers.values() if keeper.part.last == last]
            self._signal(children, parts, signal.SIGTERM)
            deadline = time.monotonic() + END_SECONDS
            while (alive := [part.name for part in parts if self._is_alive(part)]) and time.monotonic() < deadline:  # noqa: ASYNC110 - they are the prefork server's children: no event to wait for
                await asyncio.sleep(0.02)
            if alive:
                self._output.say(f"{', '.join(alive)} did not end within {END_SECONDS:g} s and is killed")
            self._signal(children, parts, signal.SIGKILL, group=True)

    def _is_alive(self, part: Part) -> bool:
        pid = self._keepers[part.name].pid
        if pid is None:
            return False
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            return True
        return False

    def _signal(
        self, children: Children, parts: Sequence[Part], number: signal.Signals, *, group: bool = False
    ) -> None:
        for part in parts:
            if pid := self._keepers[part.name].pid:
                children.signal(pid, number, group=group)

    def _waited_for(self) -> list[str]:
        return [name for name, keeper in self._keepers.items() if name != "api" and not keeper.ready.is_set()]

    async def _answer_watched(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """200 while every part but the api is ready, else 503 and their names: what the api's /healthz asks."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await reader.readuntil(b"\r\n\r\n")
            status, text = self._watched_answer(*_parse(request))
            body = text.encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    def _watched_answer(self, method: str, headers: Mapping[str, str]) -> tuple[str, str]:
        if refused := refusal(method, headers):
            return "403 Forbidden", ". ".join(refused)
        waited_for = self._waited_for()
        if waited_for:
            return "503 Service Unavailable", f"not ready: {', '.join(waited_for)}"
        return "200 OK", "ok"

    async def _tell(self, begun: float) -> None:
        """The banner once everything is up; until then, now and then, what is missing."""
        everything = asyncio.create_task(self._everything_ready())
        while not (await asyncio.wait([everything], timeout=IN_TROUBLE_SECONDS))[0]:
            missing = [keeper for keeper in self._keepers.values() if not keeper.ready.is_set()]
            names = ", ".join(keeper.part.name for keeper in missing)
            self._output.say(f"still waiting for {names}; the lines above may say why")
            for keeper in missing:
                if reason := await why_not(keeper.part.ready):
                    self._output.say(f"  {keeper.part.name} says: {reason}")
        self._output.say(banner(self._settings, self._plan, time.monotonic() - begun))

    async def _everything_ready(self) -> None:
        for keeper in self._keepers.values():
            await keeper.ready.wait()

    def _note_processes(self) -> None:
        """For a user who wants to look at, or kill, one of them: name -> process id."""
        pids = {name: keeper.pid for name, keeper in self._keepers.items() if keeper.pid}
        unfinished = self._settings.folder / "processes.new"
        unfinished.write_text(json.dumps(pids, indent=1))
        unfinished.replace(self._settings.folder / "processes.json")


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    """Method and headers of a request; of a header that is there twice neither, so that it is not this machine's."""
    method, *lines = head.decode("latin-1").split("\r\n")
    pairs = [
        (name.strip().lower(), value.strip()) for name, found, value in (line.partition(":") for line in lines) if found
    ]
    headers = dict(pairs)
    twice = {name for name in headers if [name for name, _ in pairs].count(name) > 1}
    return method.partition(" ")[0], headers | dict.fromkeys(twice, "sent twice")
