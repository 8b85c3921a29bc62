"""The broker as a real process, and real HTTP subscribers that answer what a test tells them."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from forked import Forked

ROOT = Path(__file__).parents[2]
DEADLINE = 15.0


async def until(condition: Callable, what: str, seconds: float = DEADLINE):
    """What `condition` returns once it is true; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        await asyncio.sleep(0.005)
    raise AssertionError(f"not within {seconds} s: {what}")


@dataclass
class Arrived:
    headers: dict
    body: bytes
    at: float


@dataclass
class Subscriber:
    """`answers`: (status, headers, body) of the next requests, then 202; `delay` seconds before each answer."""

    url: str = ""
    answers: list = field(default_factory=list)
    arrived: list[Arrived] = field(default_factory=list)
    delay: float = 0

    def ids(self) -> set[str]:
        return {item.headers["ce-id"] for item in self.arrived}

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.arrived.append(Arrived(headers, await request.read(), time.time()))
        await asyncio.sleep(self.delay)
        status, headers, body = self.answers.pop(0) if self.answers else (202, {}, b"")
        return web.Response(status=status, headers=headers, body=body or None)


@contextlib.asynccontextmanager
async def subscribing(port: int = 0):
    subscriber = Subscriber()
    app = web.Application(client_max_size=4 << 20)
    app.router.add_route("*", "/{path:.*}", subscriber.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    subscriber.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    try:
        yield subscriber
    finally:
        await runner.cleanup()


def trigger(name: str, *, to: str = "", broker: str = "default", **spec):
    ref = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": to or name}
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {"name": name, "namespace": "test"},
        "spec": {"broker": broker, "subscriber": {"ref": ref}, **spec},
    }


def sink(name: str):
    return {"ref": {"apiVersion": "v1", "kind": "Service", "name": name}}


def broker(**delivery):
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": "default", "namespace": "test"},
        "spec": {"delivery": delivery} if delivery else {},
    }


class Broker:
    """One broker process on a folder of its own; `kill` is kill -9, `start` again goes on with the same queue."""

    def __init__(self, folder: Path, objects: list, subscribers: dict[str, str]) -> None:
        self.folder = folder
        self.subscribers = subscribers
        self.process: Forked | None = None
        self.logs: list[Path] = []
        self.url = ""
        (folder / "manifests.yaml").write_text(yaml.safe_dump_all(objects))

    async def start(self):
        named = [part for name, url in self.subscribers.items() for part in ("--subscriber", f"{name}={url}")]
        command = [
            "--port",
            "0",
            "--db",
            self.folder / "queue.db",
            "--manifests",
            self.folder / "manifests.yaml",
            *named,
        ]
        self.logs.append(self.folder / f"broker-{len(self.logs)}.log")
        self.process = Forked("functions.local.broker", [*map(str, command)], self.logs[-1], os.environ)
        await until(
            lambda: self._says_where() or self.process.returncode is not None, "the broker says where it listens"
        )
        self.url = self._says_where()
        return self

    @property
    def lines(self) -> list[str]:
        return [line for log in self.logs for line in log.read_text().splitlines()]

    def _says_where(self) -> str:
        found = (line.split()[0] for line in self.logs[-1].read_text().splitlines() if line.startswith("http://"))
        return next(found, "")

    async def kill(self):
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def stop(self):
        if self.process.returncode is None:
            self.process.terminate()
        await asyncio.to_thread(self.process.wait)


@contextlib.asynccontextmanager
async def brokering(folder, objects, subscribers):
    running = await Broker(folder, objects, subscribers).start()
    try:
        yield running
    finally:
        await running.stop()


def headers(event_id: str = "1", **more) -> dict:
    usual = {"ce-specversion": "1.0", "ce-type": "sometype", "ce-source": "sender.test", "ce-id": event_id}
    return {**usual, "content-type": "application/json", **{f"ce-{name}": value for name, value in more.items()}}


async def post(url: str, headers: dict, body=b"{}", method: str = "POST") -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers, data=body) as answer:
        return answer.status, await answer.text()
