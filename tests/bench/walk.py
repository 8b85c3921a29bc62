"""The path of a request through the product's code: its files in order, moves from file to file, and calls.

A warm process takes one request of each kind for a model with one pod, against a real Redis and the simulated cluster, as a
function and the API do in production. The path ends at the PATCH of the model; where there is none, at the answer. A call
counts when a function of ours begins; it is also a move where the function of ours that called it is in another file. What
runs beside it at the same time (the API's listener, the renewal of the lease) counts too.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

import httpx

ROOT = Path(__file__).parents[2]
COMMANDS, MODELS = "dev.modelswitch.model", "namespaces/blue/inferenceservices"
ARTIFACT = "gs://models/iris"
OURS = (f"{ROOT}/functions/", f"{ROOT}/events/")

sys.path.insert(0, str(ROOT / "tests" / "functions"))
os.chdir(ROOT)

from api_rig import World, world
from function_process import SECRET
from functions_framework.aio import create_asgi_app


@dataclass
class Walk:
    """What was entered, in order."""

    files: dict[str, int] = field(default_factory=dict)
    moves: int = 0
    calls: int = 0
    patched: bool = False
    _frames: list[FrameType] = field(default_factory=list)
    _known: set[int] = field(default_factory=set)

    @contextmanager
    def traced(self) -> Iterator[None]:
        sys.setprofile(self._event)
        try:
            yield
        finally:
            sys.setprofile(None)
            self._frames.clear()

    def _event(self, frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if self.patched or event != "call" or not path.startswith(OURS) or id(frame) in self._known:
            return
        self._known.add(id(frame))  # a coroutine is entered again after each wait; the frame is kept, so its id stays
        self._frames.append(frame)
        self.calls += 1
        self.files[path] = self.files.get(path, 0) + 1
        self.moves += _caller(frame) != path
        self.patched = frame.f_code.co_qualname == "Cluster.json_patch"


def _caller(frame: FrameType) -> str | None:
    """The file of the function of ours that called this one; None: none did."""
    above = frame.f_back
    while above and not above.f_code.co_filename.startswith(OURS):
        above = above.f_back
    return above.f_code.co_filename if above else None


class Product:
    """The functions and the API, in this process."""

    def __init__(self, place: World) -> None:
        self._place = place
        self._stack = AsyncExitStack()
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        from functions.api.app import create_app  # noqa: PLC0415 - reads the environment
        from functions.settings import Settings  # noqa: PLC0415

        for name in ("command", "pod_status", "artifact_written"):
            self._clients[name] = await self._client(create_asgi_app(name, f"functions/{name}/main.py"))
        self._clients["api"] = await self._client(create_app(Settings()))
        return self

    async def __aexit__(self, *_: object) -> None:
        from functions.handler import _PROCESS  # noqa: PLC0415

        await self._stack.aclose()
        await _PROCESS.close()

    async def _client(self, app: object) -> httpx.AsyncClient:
        if hasattr(app, "router"):
            await self._stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        return await self._stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=30)
        )

    async def event(self, function: str, event_type: str, subject: str, data: object, **more: str) -> None:
        headers = {f"ce-{name}": value for name, value in more.items()} | {
            "ce-specversion": "1.0",
            "ce-id": str(uuid.uuid4()),
            "ce-source": "/walk",
            "ce-type": event_type,
            "ce-subject": subject,
            "content-type": "application/json",
        }
        answer = await self._clients[function].post(f"/?delivery={SECRET}", headers=headers, content=json.dumps(data))
        answer.raise_for_status()

    def pods(self, name: str) -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/blue/pods?labelSelector=serving.kserve.io/inferenceservice={name}"
        return self._place.cluster.get(path).json()["items"]

    async def rest(self, name: str, verb: str) -> None:
        answer = await self._clients["api"].post(f"/api/v1/namespaces/blue/models/{name}/{verb}", json={})
        answer.raise_for_status()


Send = Callable[[Product, str], Awaitable[None]]


async def _stop_event(product: Product, name: str) -> None:
    await product.event("command", f"{COMMANDS}.stop-requested.v1", f"{MODELS}/{name}", {})


async def _reload_event(product: Product, name: str) -> None:
    data = {"artifact": _written()}
    await product.event("command", f"{COMMANDS}.reload-requested.v1", f"{MODELS}/{name}", data)


async def _stop_rest(product: Product, name: str) -> None:
    await product.rest(name, "stop")


async def _artifact_event(product: Product, name: str) -> None:
    await product.event("artifact_written", "dev.modelswitch.artifact.written.v1", f"artifacts/{ARTIFACT}", _written())


def _written() -> dict[str, object]:
    return {"uri": ARTIFACT, "digest": f"sha256:{uuid.uuid4().hex * 2}", "size": 10}


async def _pod_event(product: Product, name: str) -> None:
    (pod,) = product.pods(name)
    named = {"kind": "Pod", "apiversion": "v1", "name": pod["metadata"]["name"], "namespace": "blue"}
    await product.event("pod_status", "dev.knative.apiserver.resource.update", "pods", pod, **named)


KINDS: dict[str, Send] = {
    "stop event": _stop_event,
    "stop by REST": _stop_rest,
    "reload event": _reload_event,
    "artifact event": _artifact_event,
    "pod event": _pod_event,
}


async def _walk(product: Product, place: World, send: Send) -> Walk:
    """The second request of its kind: the first fills what a process keeps."""
    for walk in (Walk(), Walk()):
        name = await asyncio.to_thread(place.make)
        with walk.traced():
            await send(product, name)
    return walk


async def _walk_all(place: World, kinds: list[str], *, files: bool) -> None:
    async with Product(place) as product:
        for kind in kinds:
            print(_shown(kind, await _walk(product, place, KINDS[kind]), files=files))


def _shown(kind: str, walk: Walk, *, files: bool) -> str:
    head = f"{kind:<15} {len(walk.files):>3} files {walk.moves:>4} moves {walk.calls:>4} calls"
    if not files:
        return head
    return "\n".join(
        [head, *(f"    {count:>4}  {path.removeprefix(f'{ROOT}/')}" for path, count in walk.files.items())]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=list(KINDS), help=", ".join(KINDS))
    parser.add_argument("--files", action="store_true", help="list the files of each path, with their calls")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="walk-") as folder, world(Path(folder)) as place:
        os.environ |= {
            "KUBECONFIG": str(place.kubeconfig),
            "REDIS_URL": place.redis_url,
            "AUTH": "none",
            "DELIVERY_SECRETS": SECRET,
            "LOG_LEVEL": "ERROR",
        }
        allowed = {"metadata": {"labels": {"modelswitch.dev/events": "allow"}}}
        patch = {"content-type": "application/merge-patch+json"}
        place.cluster.patch("/api/v1/namespaces/blue", json=allowed, headers=patch).raise_for_status()
        place.synced()
        asyncio.run(_walk_all(place, given.kinds, files=given.files))


if __name__ == "__main__":
    main()
