"""The supervisor's end of the prefork server: starting parts, hearing of their end, signalling them."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from functions.local.supervisor.part import Imports, Part

WEB = (
    "aiohttp",
    "prometheus_client",
    "starlette.routing",
    "structlog",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "yaml",
    "functions.local.broker.ingress",
)
ALL = (
    "functions_framework._cli",
    "functions_framework.aio",
    "functions_framework._http.gunicorn",
    "gunicorn.arbiter",
    "uvicorn_worker",
    "kubernetes.aio",
    "redis.asyncio",
    "functions.commands",
    "functions.handler",
    "functions.api.app",
    "functions.local.kserve.controllers",
    "functions.local.source.watching",
)
BEFORE: Mapping[Imports, Sequence[str]] = {"none": (), "web": WEB, "all": ALL}
"""What is imported before the parts of each kind start, in this order."""

Begun = tuple[int, asyncio.Future[int]]
"""A process id, and the exit code to come."""


class Children:
    """`lost` is called when the prefork server itself has died; what was started is then over too."""

    def __init__(
        self, process: asyncio.subprocess.Process, outputs: Mapping[str, int], lost: Callable[[], None]
    ) -> None:
        self._process = process
        self._outputs = outputs
        self._lost = lost
        self._started: dict[str, asyncio.Future[Begun]] = {}
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls, outputs: Mapping[str, int], held: Sequence[int], environment: Mapping[str, str], lost: Callable[[], None]
    ) -> "Children":
        """`outputs`: the file descriptor for each part's lines. `held`: more descriptors for the prefork server to keep open.

        `environment`: what parts share; libraries read some of it when they are imported (KUBECONFIG).
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "functions.local.supervisor.prefork",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            pass_fds=[*outputs.values(), *held],
            start_new_session=True,
        )
        return cls(process, outputs, lost)

    def preload(self, modules: Sequence[str]) -> None:
        self._order({"preload": list(modules)})

    async def start(self, part: Part) -> Begun:
        """Its process id, and a future of its exit code (negative: the signal that ended it)."""
        waiting: asyncio.Future[Begun] = asyncio.get_running_loop().create_future()
        self._started[part.name] = waiting
        self._order(
            {
                "start": part.name,
                "program": part.program,
                "arguments": part.arguments,
                "environment": dict(part.environment),
                "output": self._outputs[part.name],
                "preloaded": part.imports != "none",
            }
        )
        return await waiting

    def signal(self, pid: int, number: signal.Signals, *, group: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number) if group else os.kill(pid, number)

    def start_nothing_more(self) -> None:
        """Orders that are still on their way are forgotten."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    async def close(self) -> None:
        """The prefork server ends whatever is left."""
        if self._process.stdin:
            self._process.stdin.close()
        await self._process.wait()
        self._reading.cancel()

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            notice = json.loads(line)
            pid = notice["pid"]
            if "exit" in notice:
                self._ended.pop(pid).set_result(notice["exit"])
            else:
                ended = self._ended[pid] = asyncio.get_running_loop().create_future()
                self._started[notice["name"]].set_result((pid, ended))
        self._lost()
