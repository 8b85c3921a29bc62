"""What an installation costs while nothing happens: many running models, and nobody asks for anything."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from figures import Goal, Row
from place import Place, redis_server
from processes import DELIVERY_SECRET, Served, api, free_port, function, process, serving

MODELS = 500
NAMESPACE = "idle"
TICK_SECONDS = 5
FUNCTIONS = ("command", "artifact_written", "pod_status", "tick", "dead_letter")
UP_SECONDS = 600
_GROUP = "/apis/serving.kserve.io/v1beta1"

_CONTAINER = {
    "name": "kserve-container",
    "image": "kserve/sklearnserver:v0.17.0",
    "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}},
}
_RUNTIME = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "sklearn"},
    "spec": {
        "supportedModelFormats": [{"name": "sklearn", "autoSelect": True}],
        "protocolVersions": ["v1", "v2"],
        "containers": [_CONTAINER],
    },
}


@dataclass
class Counter:
    """A TCP proxy before the API server: how many requests went there, and how many bytes came back."""

    requests: int = 0
    bytes: int = 0

    @contextlib.asynccontextmanager
    async def before(self, port: int) -> AsyncIterator[int]:
        """Yields the port to ask instead of `port`."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError), contextlib.closing(writer):
                back, forth = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(self._copy(reader, forth, 1), self._copy(back, writer, 0))

        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, asks: int) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(2**16):
                if asks:
                    self.requests += chunk.count(b" HTTP/1.1\r\n")
                else:
                    self.bytes += len(chunk)
                target.write(chunk)
                await target.drain()
        target.close()


async def idle(place: Place) -> list[Row]:
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(_cluster(place.folder))
        await _run_models(port)
        ours, peer = Counter(), Counter()
        async with ours.before(port) as ours_port, peer.before(port) as peer_port:
            environment = place.environment(stack.enter_context(redis_server()))
            environment |= {"KUBECONFIG": _kubeconfig(place.folder, "ours", ours_port)}
            served = {name: stack.enter_context(function(name, place.folder, environment)) for name in FUNCTIONS}
            processes = [*served.values(), stack.enter_context(api(place.folder, environment))]
            watches = [stack.enter_context(_watch(place.folder, kind, peer_port)) for kind in ("pods", "isvc")]
            for _ in range(6):  # every model is known by then, and what was due at the start is done
                await _tick(served["tick"])
            ours.requests = ours.bytes = 0
            began, cpu, theirs = time.monotonic(), _cpu(processes), _cpu(watches)
            while time.monotonic() - began < place.idle_seconds:
                await _tick(served["tick"])
            seconds = time.monotonic() - began
            cpu, theirs = (_cpu(processes) - cpu) / seconds, (_cpu(watches) - theirs) / seconds
    minutes = seconds / 60
    how = (
        f"{minutes:.1f} minutes, once; {len(processes)} processes (the API and {', '.join(FUNCTIONS)}), a tick every "
        f"{TICK_SECONDS} s, on the simulated API server. Ours asked it {ours.requests / minutes:.0f} times a minute for "
        f"{ours.bytes / minutes / 2**20:.2f} MiB; kubectl, its discovery and first lists included, {peer.requests} times for "
        f"{peer.bytes / 2**20:.2f} MiB in all"
    )
    name = f"{MODELS} running models, nothing happens: CPU of all our processes"
    goal = Goal(2, "amount")
    return [Row(name, "kubectl get --watch of models and pods", cpu * 100, theirs * 100, "% of a core", goal, 1, how)]


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[int]:
    """The simulated cluster and its KServe; yields the API server's port."""
    port = free_port()
    words = ["-m", "functions.local.kubernetes", "--port", str(port), "--start-seconds", "0"]
    words += ["--cpu", str(MODELS * 10), "--memory", "100Ti"]
    kubeconfig = {"KUBECONFIG": _kubeconfig(folder, "kserve", port)}
    with (
        serving(words, "/healthz", folder / "kubernetes.log", port, {}),
        process(["-m", "functions.local.kserve"], folder / "kserve.log", kubeconfig),
    ):
        yield port


async def _run_models(port: int) -> None:
    """Until each is ready."""
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "spec": {"predictor": {"model": model}},
    }
    models = f"{_GROUP}/namespaces/{NAMESPACE}/inferenceservices"
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", raise_for_status=True) as session:
        await session.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}})
        await session.post(f"/apis/serving.kserve.io/v1alpha1/namespaces/{NAMESPACE}/servingruntimes", json=_RUNTIME)
        for number in range(MODELS):
            await session.post(models, json={**body, "metadata": {"name": f"idle-{number:03d}"}})
        async with asyncio.timeout(UP_SECONDS):
            while True:
                async with session.get(models) as answer:
                    ready = [_is_ready(item) for item in (await answer.json())["items"]]
                if sum(ready) == MODELS:
                    return
                await asyncio.sleep(1)


def _is_ready(item: dict) -> bool:
    conditions = (item.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _kubeconfig(folder: Path, name: str, port: int) -> str:
    path = folder / f"idle-{name}.yaml"
    path.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
        f'clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}], users: [{{name: u, user: {{}}}}]}}'
    )
    return str(path)


@contextlib.contextmanager
def _watch(folder: Path, kind: str, port: int) -> Iterator[Served]:
    kubeconfig = {"KUBECONFIG": _kubeconfig(folder, "kubectl", port)}
    words = ["kubectl", "get", kind, "--all-namespaces", "--watch"]
    with process(words, folder / f"kubectl-{kind}.log", kubeconfig, program=()) as running:
        yield Served("", running.pid)


async def _tick(tick: Served) -> None:
    """As PingSource sends it, and then the time until the next."""
    began = time.monotonic()
    headers = {
        "ce-specversion": "1.0",
        "ce-id": f"tick-{began}",
        "ce-source": "/bench",
        "content-type": "application/json",
    }
    headers["ce-type"] = "dev.knative.sources.ping"
    address = f"{tick.url}/?delivery={DELIVERY_SECRET}"
    async with aiohttp.ClientSession(raise_for_status=True) as session, session.post(address, json={}, headers=headers):
        pass
    await asyncio.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - began)))


def _cpu(processes: list[Served]) -> float:
    """Seconds, of these and their children."""
    ticks = 0
    for one in processes:
        children = Path(f"/proc/{one.pid}/task/{one.pid}/children").read_text().split()
        for pid in (str(one.pid), *children):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
