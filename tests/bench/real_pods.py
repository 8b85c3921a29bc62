"""From the request to the moment when no pod is left, with real pods: over REST, and by hand with kubectl.

KSERVE says who acts on the models: `own` (KServe's own controller), else the simulated one is started for the namespace.
Pods need an image with Python that is on the nodes: MODELSERVER_IMAGE.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Iterator

import aiohttp
from api_server import Json, each
from figures import Goal, Row, median
from place import Place, redis_server
from processes import Served, api, process

MODELS = 3
SECONDS = 120
_IMAGE = os.environ.get("MODELSERVER_IMAGE", "docker.io/local/modelserver:1")
_SERVER = """
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = socket.create_server(("", 8080))
while True:
    server.accept()[0].close()
"""


async def real_pods(place: Place) -> list[Row]:
    names = [f"real-{number}" for number in range(MODELS)]
    ours: list[float] = []
    by_hand: list[float] = []
    with _controller(place), redis_server() as redis_url, api(place.folder, place.environment(redis_url)) as served:
        await each(names, lambda name: place.cluster.call("POST", place.cluster.models, _model(name)))
        for _ in range(place.rounds):
            for name in names:
                ours.append(await _stopped(place, name, lambda name=name: _over_rest(place, served, name)))
                by_hand.append(await _stopped(place, name, lambda name=name: _by_hand(place, name)))
        await place.cluster.call("DELETE", place.cluster.models)
    how = f"{MODELS} models, one after another, {place.rounds} alternating rounds; the pod ends at once on SIGTERM"
    name, against = "real pods: stop to zero pods", "kubectl annotate by hand"
    return [Row(name, against, median(ours), median(by_hand), "s", Goal(1.1), place.rounds, how)]


@contextlib.contextmanager
def _controller(place: Place) -> Iterator[None]:
    if os.environ.get("KSERVE") == "own":
        yield
        return
    environment = {"KUBECONFIG": str(place.kubeconfig)}
    with process(["-m", "functions.local.kserve", place.cluster.namespace], place.folder / "kserve.log", environment):
        yield


async def _stopped(place: Place, name: str, stop: Callable[[], Awaitable[None]]) -> float:
    """Seconds from the call to the first list without a pod; the model is started before and left stopped."""
    await place.cluster.reset([name])
    await _until(lambda: _is_ready(place, name), f"{name} is ready")
    began = time.perf_counter()
    await stop()
    await _until(lambda: _has_no_pod(place, name), f"{name} has no pod")
    return time.perf_counter() - began


async def _until(check: Callable[[], Awaitable[bool]], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not await check():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {SECONDS} s: {what}. Is {_IMAGE} on the nodes, and does KServe act?")
        await asyncio.sleep(0.02)


async def _pods(place: Place, name: str) -> list[Json]:
    path = f"/api/v1/namespaces/{place.cluster.namespace}/pods"
    listed = await place.cluster.call("GET", f"{path}?labelSelector=serving.kserve.io/inferenceservice={name}")
    return list(listed["items"])


async def _is_ready(place: Place, name: str) -> bool:
    pods = await _pods(place, name)
    return len(pods) == 1 and any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pods[0]["status"].get("conditions", [])
    )


async def _has_no_pod(place: Place, name: str) -> bool:
    return not await _pods(place, name)


async def _over_rest(place: Place, served: Served, name: str) -> None:
    url = f"{served.url}/api/v1/namespaces/{place.cluster.namespace}/models/{name}/stop"
    async with aiohttp.ClientSession() as session, session.post(url, json={}) as answer:
        if answer.status != 202:
            raise RuntimeError(f"the stop of {name} was answered {answer.status}: {await answer.text()}")


async def _by_hand(place: Place, name: str) -> None:
    words = ["kubectl", "annotate", "inferenceservice", name, "serving.kserve.io/stop=true"]
    ran = await asyncio.create_subprocess_exec(*words, "-n", place.cluster.namespace, stdout=asyncio.subprocess.DEVNULL)
    if await ran.wait():
        raise RuntimeError("kubectl annotate failed")


def _model(name: str) -> Json:
    container = {
        "name": "kserve-container",
        "image": _IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-S", "-E", "-c", _SERVER],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": {"containers": [container]}},
    }
