"""List and watch over the Kubernetes API as raw JSON, all namespaces."""

import json
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.api_client import ApiClient

from functions.adapters.credentials import Credentials
from functions.lifecycle.errors import ClusterUnavailable
from functions.local.source.manifests import Watched

Json = dict[str, Any]
WATCH_SECONDS = 240
REQUEST_SECONDS = 15


class Unavailable(Exception):
    """The API server is away, or answers with an error that may pass."""


class NoSuchResource(Exception):
    """404: the cluster does not know the resource."""


class Expired(Exception):
    """410: the resourceVersion is too old to watch from."""


class KubernetesApi:
    """Raises Unavailable, NoSuchResource or Expired, nothing else."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._client = ApiClient(credentials.configuration)
        self.host = str(credentials.configuration.host)

    @classmethod
    async def connect(cls) -> Self:
        """From KUBECONFIG, or the kubeconfig at its usual place."""
        return cls(await Credentials.connect())

    async def close(self) -> None:
        await self._client.close()

    async def version(self, watched: Watched) -> str:
        """The resourceVersion to watch from: now."""
        answer = await self._get(watched, {"limit": "1"}, REQUEST_SECONDS)
        async with answer:
            content = await _content(answer)
        return str((content.get("metadata") or {}).get("resourceVersion", ""))

    async def watch(self, watched: Watched, version: str) -> AsyncIterator[tuple[str, Json]]:
        """(ADDED, MODIFIED, DELETED or BOOKMARK; object) after `version`, until the server ends the watch."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        query["timeoutSeconds"] = str(WATCH_SECONDS)
        answer = await self._get(watched, query, WATCH_SECONDS + 30)
        async with answer:
            if answer.status >= 400:
                await _content(answer)
            try:
                async for change, item in _lines(answer):
                    yield change, item
            except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
                raise Unavailable(f"the watch broke off ({error or type(error).__name__})") from error

    async def _get(self, watched: Watched, query: dict[str, str], seconds: float) -> aiohttp.ClientResponse:
        selector = {"labelSelector": watched.selector} if watched.selector else {}
        url = f"{self.host}{watched.path}?{urlencode({**query, **selector})}"
        headers = {"Accept": "application/json", "User-Agent": "modelswitch-source"}
        try:
            await self._credentials.renew_if_due()
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], watched.path, "GET", None)
            answer = await self._client.rest_client.request("GET", url, headers=headers, _request_timeout=seconds)
            if answer.status == 401:
                await self._credentials.renew_refused(
                    headers.get("authorization", "")
                )  # for the next try, a moment later
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{self.host} does not answer ({error or type(error).__name__})") from error
        except ClusterUnavailable as error:
            raise Unavailable(error.message) from error
        response: aiohttp.ClientResponse = answer.response
        return response


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Json]]:
    """One JSON object per line, however long: an object may be larger than the client's line buffer."""
    buffer = bytearray()
    async for chunk in answer.content.iter_any():
        buffer += chunk
        while (end := buffer.find(b"\n")) >= 0:
            event = json.loads(buffer[:end])
            del buffer[: end + 1]
            if event["type"] == "ERROR":
                _refuse(int(event["object"].get("code") or 500), str(event["object"].get("message")))
            yield event["type"], event["object"]


async def _content(answer: aiohttp.ClientResponse) -> Json:
    try:
        text = await answer.text()
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"the answer broke off ({error or type(error).__name__})") from error
    if answer.status >= 400:
        _refuse(answer.status, text[:300])
    content: Json = json.loads(text)
    return content


def _refuse(status: int, message: str) -> None:
    if status == 410:
        raise Expired(message)
    if status == 404:
        raise NoSuchResource(message)
    raise Unavailable(f"the API server answers {status}: {message}")
