"""The Kubernetes API as raw JSON over the official client's connection. The only module that imports kubernetes.

Raw, because every object that matters here is a custom resource or is read for three of its fields; the client's
models cost a second to import and more to fill.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException

from functions.lifecycle.errors import ClusterRefused, ClusterUnavailable, PreconditionFailed

Json = dict[str, Any]
FIELD_MANAGER = "modelswitch"
REQUEST_SECONDS = 5.0
PAGE = 500


class Missing(Exception):
    """The API server answers 404: no such object, or no such resource type."""


class Forbidden(ClusterRefused):
    """The API server answers 401 or 403."""


class Changed(Exception):
    """The API server answers 409: the object is not the one, or not in the version, that was named."""


class Cluster:
    """One API server. Raises ClusterUnavailable, ClusterRefused, Missing, Changed or PreconditionFailed, nothing else."""

    def __init__(self, configuration: Configuration) -> None:
        self._client = ApiClient(configuration)
        self._host: str = configuration.host

    @classmethod
    async def connect(cls) -> Self:
        """From KUBECONFIG or ~/.kube/config, or the pod's own ServiceAccount."""
        configuration = Configuration()
        try:
            if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
                config.load_incluster_config(client_configuration=configuration)
            else:
                named = os.environ.get("KUBECONFIG")
                await config.load_kube_config(config_file=named, client_configuration=configuration)
        except (ConfigException, OSError) as error:
            raise ClusterUnavailable(f"no cluster is configured ({error}); set KUBECONFIG") from error
        configuration.connection_pool_maxsize = 16
        configuration.proxy = configuration.proxy or _proxy(configuration.host)
        # Otherwise aiohttp asks a thread for ~/.netrc, and another for the proxy, before every request.
        configuration.client_session_kwargs = {"trust_env": False}
        return cls(configuration)

    async def close(self) -> None:
        await self._client.close()

    async def get(self, path: str, **query: str) -> Json:
        return await self._request("GET", path, query)

    async def raw_get(self, path: str, seconds: float) -> tuple[int, bytes]:
        """Status and body as they come, whatever they say. TimeoutError after `seconds`."""
        return await self._raw("GET", path, seconds)

    async def raw_post(self, path: str, body: Any, seconds: float) -> tuple[int, bytes]:
        """As raw_get; `body` is sent as JSON."""
        return await self._raw("POST", path, seconds, body)

    async def _raw(self, method: str, path: str, seconds: float, body: Any = None) -> tuple[int, bytes]:
        headers = {"Accept": "*/*", "User-Agent": FIELD_MANAGER}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            async with asyncio.timeout(seconds):
                response = await self._client.call_api(method, f"{self._host}{path}", headers, body)
                return response.status, await response.read() or b""
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise ClusterUnavailable(f"{method} {path}: {type(error).__name__} {error}".strip()) from error

    async def create(self, path: str, body: Json) -> Json:
        return await self._request("POST", path, {}, body)

    async def json_patch(self, path: str, operations: list[Mapping[str, Any]]) -> Json:
        """PreconditionFailed where a `test` fails: the API server answers 422 for that, not 409."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request("PATCH", path, query, operations, "application/json-patch+json")

    async def merge_patch(self, path: str, body: Json) -> Json:
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request("PATCH", path, query, body, "application/merge-patch+json")

    async def delete(self, path: str, body: Json) -> Json:
        return await self._request("DELETE", path, {}, body)

    async def pages(self, path: str, start: str = "", **query: str) -> AsyncIterator[Json]:
        """Every page of a list, 500 objects each; `start` is the `continue` token of an earlier page."""
        token = start
        while True:
            more = {"limit": str(PAGE), **({"continue": token} if token else {})}
            page = await self.get(path, **query, **more)
            yield page
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    async def list_all(self, path: str, **query: str) -> list[Json]:
        return [item async for page in self.pages(path, **query) for item in page.get("items") or []]

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
    ) -> Json:
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": FIELD_MANAGER}
        try:
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            response = await self._client.call_api(method, url, headers, body, _request_timeout=REQUEST_SECONDS)
            text = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ClusterUnavailable(f"{method} {path}: {type(error).__name__} {error}".strip()) from error
        if response.status < 400:
            return json.loads(text) if text else {}
        raise _translate(response.status, text or b"", dict(response.getheaders() or {}), f"{method} {path}")


def _proxy(url: str) -> str | None:
    """What HTTPS_PROXY and NO_PROXY say, asked once."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def _translate(status: int, text: bytes, headers: Mapping[str, str], what: str) -> Exception:
    message = text.decode(errors="replace")[:500]
    with suppress(ValueError, AttributeError):
        message = json.loads(text).get("message") or message
    detail = f"{what}: {status} {message}"
    match status:
        case 404:
            return Missing(detail)
        case 409:
            return Changed(detail)
        case 422 if what.startswith("PATCH"):
            return PreconditionFailed(detail)
        case 401 | 403:
            return Forbidden(detail)
        case 429 | 500 | 502 | 503 | 504:
            return ClusterUnavailable(detail, _retry_after(headers))
        case _:
            return ClusterRefused(detail)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(value) if value.isdigit() else None
