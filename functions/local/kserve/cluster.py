"""Raw JSON over the Kubernetes API: typed models would drop what they do not know, and their watches end silently."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

from kubernetes.aio import client, config

from functions.local.kserve.resources import Json, Resource

WATCH_SECONDS = 240
REQUEST_SECONDS = 15


class ApiError(Exception):
    """The API answered with an error; `status` is the HTTP status, `reason` Kubernetes' word for it."""

    def __init__(self, method: str, path: str, status: int, body: Json) -> None:
        self.status = status
        self.reason = str(body.get("reason", ""))
        super().__init__(f"{method} {path} answered {status} {self.reason}: {body.get('message', '')}")


class WatchExpired(Exception):
    """The resourceVersion is too old to watch from (410): list again."""


class Cluster:
    """One API server. Every call raises ApiError; a lost connection raises aiohttp's own error."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    @classmethod
    async def connect(cls, kubeconfig: str | None = None) -> "Cluster":
        """With a kubeconfig's path, or $KUBECONFIG and its default."""
        settings = client.Configuration()
        # The client reads KUBECONFIG when it is imported: a process that is forked later may have another.
        named = kubeconfig or os.environ.get("KUBECONFIG")
        await config.load_kube_config(config_file=named, client_configuration=settings)
        # Otherwise aiohttp asks a thread for ~/.netrc, and another for the proxy, before every request.
        settings.client_session_kwargs = {"trust_env": False}
        return cls(client.ApiClient(settings))

    @property
    def host(self) -> str:
        return str(self._api.configuration.host)

    async def close(self) -> None:
        await self._api.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """None where it does not exist."""
        try:
            return await self._call("GET", resource.path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, resource: Resource, namespace: str | None = None, labels: str = "") -> Json:
        query = {"labelSelector": labels} if labels else {}
        return await self._call("GET", resource.collection(namespace), query=query)

    async def create(self, resource: Resource, obj: Json) -> Json:
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        return await self._call("POST", resource.collection(obj["metadata"].get("namespace")), body=body)

    async def replace(self, resource: Resource, obj: Json, subresource: str = "") -> Json:
        """With the resourceVersion in `obj`: 409 if another writer was faster."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        path = resource.path(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        return await self._call("PUT", f"{path}/{subresource}" if subresource else path, body=body)

    async def delete(self, resource: Resource, obj: Json) -> None:
        """In the background, as KServe does; gone already is fine."""
        path = resource.path(obj["metadata"]["namespace"], obj["metadata"]["name"])
        body = {"propagationPolicy": "Background", "preconditions": {"uid": obj["metadata"]["uid"]}}
        try:
            await self._call("DELETE", path, body=body)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise

    async def watch(self, resource: Resource, version: str) -> AsyncIterator[tuple[str, Json]]:
        """Events (type, object) after `version`, until the server ends the watch."""
        query = {
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
            "allowWatchBookmarks": "true",
        }
        answer = await self._send("GET", resource.collection(), query, None, timeout=WATCH_SECONDS + 30)
        if answer.status == 410:
            raise WatchExpired
        if answer.status >= 400:
            raise ApiError("GET", resource.collection(), answer.status, await _body(answer))
        async with answer.response as stream:
            async for line in stream.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    if event["object"].get("code") == 410:
                        raise WatchExpired
                    raise ApiError("WATCH", resource.collection(), event["object"].get("code", 0), event["object"])
                yield event["type"], event["object"]

    async def _call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Json | None = None
    ) -> Json:
        answer = await self._send(method, path, query or {}, body, timeout=REQUEST_SECONDS)
        content = await _body(answer)
        if answer.status >= 400:
            raise ApiError(method, path, answer.status, content)
        return content

    async def _send(self, method: str, path: str, query: dict[str, str], body: Json | None, timeout: float) -> Any:  # noqa: ASYNC109 - aiohttp's own timeout
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        return await self._api.rest_client.request(method, url, headers=headers, body=body, _request_timeout=timeout)


async def _body(answer: Any) -> Json:
    text = await answer.read()
    try:
        content = json.loads(text)
    except ValueError:
        return {"message": text.decode(errors="replace")}
    return content if isinstance(content, dict) else {"message": str(content)}
