"""The API server that a world stands on: the simulated one, or the one that MODELSWITCH_TEST_KUBECONFIG names."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import kserve_objects
from api_session import api_session, named_kubeconfig
from function_process import running

from events.model import ModelRef

Json = dict[str, Any]
_objects: Any = kserve_objects
MODELS = "/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices"
PINNED = "/apis/apps/v1/namespaces/{}/replicasets?labelSelector=modelswitch.dev%2Fpinned"
MERGE = "application/merge-patch+json"
_QUICK = {"sim.modelswitch.dev/start-seconds": "0.1", "sim.modelswitch.dev/shutdown-seconds": "0.15"}


@contextlib.asynccontextmanager
async def api_server(folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A session with the API server."""
    with contextlib.ExitStack() as stack:
        kubeconfig = named_kubeconfig()
        if kubeconfig is None:
            kubeconfig = folder / "kubeconfig"
            words = [sys.executable, "-m", "functions.local.kubernetes", "--port", "0", "--kubeconfig-out"]
            stack.enter_context(running([*words, str(kubeconfig)], folder / "kubernetes.log", {}))
            async with asyncio.timeout(30):
                while not kubeconfig.exists():
                    await asyncio.sleep(0.02)
        async with await api_session(kubeconfig) as session:
            yield session


class Cluster:
    """What the schedule does to the API server itself: models made and deleted, changed by somebody else, looked at."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        self.session, self.namespace = session, namespace
        self._models = MODELS.format(namespace)

    def ref(self, name: str) -> ModelRef:
        return ModelRef(namespace=self.namespace, name=name)

    async def prepare(self) -> None:
        labels = {"modelswitch.dev/events": "allow"}
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace, "labels": labels}})
        path = f"/apis/serving.kserve.io/v1alpha1/namespaces/{self.namespace}/servingruntimes"
        kind = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ServingRuntime"}
        await self.call("POST", path, {**kind, **_objects.runtime(self.namespace, annotations=_QUICK)})

    async def remove(self) -> None:
        await self.call("DELETE", f"/api/v1/namespaces/{self.namespace}")

    async def make(self, name: str) -> None:
        kind = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
        await self.call("POST", self._models, {**kind, **_objects.inference_service(self.namespace, name)})

    async def delete(self, name: str) -> None:
        await self.call("DELETE", f"{self._models}/{name}")

    async def annotate(self, name: str, key: str, value: str | None) -> None:
        body = {"metadata": {"annotations": {key: value}}}
        await self.call("PATCH", f"{self._models}/{name}?fieldManager=kubectl-annotate", body, MERGE)

    async def model(self, name: str) -> Json:
        return await self.call("GET", f"{self._models}/{name}")

    async def pods(self, name: str) -> list[Json]:
        selector = f"serving.kserve.io%2Finferenceservice%3D{name}"
        listed = await self.call("GET", f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={selector}")
        return list(listed["items"])

    async def pinned(self) -> list[str]:
        listed = await self.call("GET", PINNED.format(self.namespace))
        return [item["metadata"]["name"] for item in listed["items"]]

    async def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Json:
        async with self.session.request(method, path, json=body, headers={"Content-Type": kind}) as answer:
            content = await answer.json(content_type=None)
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {str(content)[:300]}")
            return dict(content)
