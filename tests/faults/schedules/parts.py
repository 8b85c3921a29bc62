"""The product's processes: forked by the prefork server, killed at once where a fault wants it, and started again at once."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from functions.local.supervisor.children import ALL, WEB, Children
from functions.local.supervisor.part import WATCHING, Answers, Part, Says
from functions.local.supervisor.readiness import until_ready

FUNCTIONS = ("stop", "start", "pod_status", "tick")
UP_SECONDS = 180.0


class Kept:
    """One part that is started again whenever it ends. `up` while it is ready; `incarnation` counts its starts."""

    def __init__(self, part: Part, log: Path, started: Callable[[str, int], None]) -> None:
        self.part, self.log = part, log
        self.up = asyncio.Event()
        self.incarnation = 0
        self._started = started
        self._pid: int | None = None
        self._gone = asyncio.Event()

    async def run(self, children: Children) -> None:
        while True:
            self.incarnation += 1
            self._started(self.part.name, self.incarnation)
            self._gone = asyncio.Event()
            self._pid, ended = await children.start(self.part)
            ready = asyncio.create_task(self._ready())
            await asyncio.shield(ended)
            ready.cancel()
            self.up.clear()
            children.signal(self._pid, signal.SIGKILL, group=True)
            self._pid = None
            self._gone.set()

    async def kill(self) -> None:
        """Its whole process group, with SIGKILL; returns when none of it can do anything any more."""
        if self._pid is None:
            return
        gone = self._gone
        self.up.clear()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        await gone.wait()

    async def _ready(self) -> None:
        if isinstance(self.part.ready, Says):
            while self.part.ready.text not in self.log.read_text(errors="replace"):
                await asyncio.sleep(0.05)
        elif isinstance(self.part.ready, Answers):
            await until_ready(self.part.ready)
        self.up.set()


class Parts:
    """All of them, in one prefork server. An async context manager."""

    def __init__(
        self, parts: list[Part], folder: Path, environment: Mapping[str, str], started: Callable[[str, int], None]
    ) -> None:
        self._folder, self._environment = folder, environment
        self.kept = {part.name: Kept(part, folder / f"{part.name}.log", started) for part in parts}

    async def __aenter__(self) -> Self:
        outputs = {name: os.open(kept.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for name, kept in self.kept.items()}
        self._children = await Children.open(outputs, [], self._environment, lambda: None)
        for descriptor in outputs.values():
            os.close(descriptor)
        self._children.preload([*WEB, *ALL])
        self._keeping = [asyncio.create_task(kept.run(self._children)) for kept in self.kept.values()]
        await self.all_up()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await self._children.close()

    async def all_up(self) -> None:
        async with asyncio.timeout(UP_SECONDS):
            for kept in self.kept.values():
                await kept.up.wait()

    async def kill(self, name: str) -> None:
        await self.kept[name].kill()


def function(name: str, url: str, root: Path, environment: Mapping[str, str]) -> Part:
    what = ("--source", str(root / "functions" / name / "main.py"), "--target", name)
    words = (*what, "--host", "127.0.0.1", "--port", url.rsplit(":", 1)[1])
    return Part(name, "functions_framework", words, Answers(f"{url}/healthz"), environment)


def api(port: int, environment: Mapping[str, str]) -> Part:
    own = {**environment, "PORT": str(port)}
    return Part("api", "functions.api", (), Answers(f"http://127.0.0.1:{port}/livez"), own)


def source(sink: str, root: Path, environment: Mapping[str, str]) -> Part:
    words = ("--sink", sink, "--manifests", str(root / "knative/base"))
    return Part("source", "functions.local.source", words, Says(WATCHING), environment, imports="none")


def kserve(environment: Mapping[str, str], namespace: str) -> Part:
    return Part("kserve", "functions.local.kserve", (namespace,), Says(WATCHING), environment, imports="none")
