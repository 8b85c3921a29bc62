"""The API server, bare: aiohttp with nothing in between. What it does is what our figures are held against."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration

Json = dict[str, Any]
AT_ONCE = 16
STOP = "serving.kserve.io/stop"
STOP_NOTE = "modelswitch.dev/stop"
GROUP = "/apis/serving.kserve.io/v1beta1"
MERGE = "application/merge-patch+json"


class ApiServer:
    """One namespace of plain InferenceServices: no controller acts on them, so only requests are measured."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        self._session, self.namespace = session, namespace
        self.models = f"{GROUP}/namespaces/{namespace}/inferenceservices"

    @classmethod
    async def connect(cls, kubeconfig: str, namespace: str) -> Self:
        settings = Configuration()
        await config.load_kube_config(config_file=kubeconfig, client_configuration=settings)
        headers = {"Accept": "application/json"}
        if token := await settings.get_api_key_with_prefix("BearerToken"):
            headers["Authorization"] = token
        tls: ssl.SSLContext | bool = True
        if settings.host.startswith("https"):
            tls = ssl.create_default_context(cafile=settings.ssl_ca_cert)
            if settings.cert_file:
                tls.load_cert_chain(settings.cert_file, settings.key_file)
        connector = aiohttp.TCPConnector(limit=AT_ONCE, ssl=tls)
        return cls(aiohttp.ClientSession(settings.host, connector=connector, headers=headers), namespace)

    async def close(self) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Json:
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers={"Content-Type": content_type}) as answer:
            text = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
            return json.loads(text)

    async def make_namespace(self) -> None:
        labels = {"modelswitch.dev/events": "allow"}
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace, "labels": labels}})

    async def delete_namespace(self) -> None:
        await self.call("DELETE", self.models)
        await self.call("DELETE", f"/api/v1/namespaces/{self.namespace}")

    async def make(self, names: Iterable[str]) -> None:
        await each(names, lambda name: self.call("POST", self.models, _inference_service(name)))

    async def listed(self) -> Json:
        return await self.call("GET", self.models)

    async def get(self, name: str) -> Json:
        return await self.call("GET", f"{self.models}/{name}")

    async def annotate_stop(self, name: str) -> None:
        """What a person would do by hand."""
        await self.call("PATCH", f"{self.models}/{name}", {"metadata": {"annotations": {STOP: "true"}}}, MERGE)

    async def reset(self, names: Iterable[str]) -> None:
        """As if nobody had ever stopped them."""
        body = {"metadata": {"annotations": {STOP: None, STOP_NOTE: None}}}
        await each(names, lambda name: self.call("PATCH", f"{self.models}/{name}", body, MERGE))

    async def count_stopped(self) -> int:
        items = (await self.listed())["items"]
        return sum((item["metadata"].get("annotations") or {}).get(STOP) == "true" for item in items)


async def each(names: Iterable[str], work: Callable[[str], Awaitable[object]], at_once: int = AT_ONCE) -> None:
    """`work` on every name, `at_once` at a time, by as many workers."""
    waiting = iter(list(names))

    async def worker() -> None:
        for name in waiting:
            await work(name)

    await asyncio.gather(*(worker() for _ in range(at_once)))


def _inference_service(name: str) -> Json:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "labels": {"team": "search"}},
        "spec": {"predictor": {"model": model}},
    }
