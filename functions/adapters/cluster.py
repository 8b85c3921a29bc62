"""The Kubernetes API as raw JSON over the official client's connection. credentials.py and quantities.py import it too.

Raw, because every object that matters here is a custom resource or is read for three of its fields; the client's
models cost a second to import and more to fill.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from events.errors import ModelswitchError
from functions.adapters import bounded_http, bounded_json
from functions.adapters.credentials import Credentials
from functions.adapters.segments import leads_elsewhere
from functions.lifecycle.errors import ClusterRefused, ClusterUnavailable, PolicyRefused, PreconditionFailed
from functions.object_errors import Stage, count

Json = dict[str, Any]
FIELD_MANAGER = "modelswitch"
REQUEST_SECONDS = 5.0
PAGE = 500
LARGEST = 16 * 1024 * 1024
"""Bytes of an answer, decompressed. A page of a list that is larger is asked for again in smaller ones."""
LONGEST_MESSAGE = 1000


class Missing(ModelswitchError):
    """The API server answers 404: no such object, or no such resource type."""


class Forbidden(ClusterRefused):
    """The API server answers 401 or 403."""


class TooLarge(ClusterUnavailable):
    """The answer is larger than is read."""


class NotAnObject(ClusterUnavailable):
    """The answer is JSON, but no object: a number, a text, a list."""


class Changed(ModelswitchError):
    """The API server answers 409: the object is not the one, or not in the version, that was named."""


class Cluster:
    """One API server. Raises ClusterUnavailable, ClusterRefused, Missing, Changed or PreconditionFailed, nothing else."""

    def __init__(self, configuration: Configuration, credentials: Credentials | None = None) -> None:
        """Without `credentials`, what `configuration` holds is used as it is."""
        self._client = ApiClient(configuration)
        self._raw: aiohttp.ClientSession | None = None
        self._host: str = configuration.host
        self._credentials = credentials
        self._certificate = configuration.cert_file

    @classmethod
    async def connect(cls) -> Self:
        """From KUBECONFIG or ~/.kube/config, or the pod's own ServiceAccount."""
        credentials = await Credentials.connect()
        credentials.configuration.connection_pool_maxsize = 16
        return cls(credentials.configuration, credentials)

    async def close(self) -> None:
        if self._raw:
            await self._raw.close()
        await self._client.close()

    async def get(self, path: str, **query: str) -> Json:
        return await self._request("GET", path, query)

    async def raw(self, method: str, path: str, body: Any, *, seconds: float, most: int) -> tuple[int, bytes, str]:
        """Status, at most `most` bytes of the body as they come, and why they can't be used ("": they can).

        For what answers in the API server's name and is not it: a pod behind its proxy. TimeoutError after `seconds`.
        """
        _refuse_steps(path)
        headers = {"Accept": "*/*", "User-Agent": FIELD_MANAGER}
        rest = self._client.rest_client
        if self._raw is None:
            self._raw = bounded_http.session(aiohttp.TCPConnector(limit=0, ssl=rest.ssl_context))
        more = {
            "proxy": rest.proxy,
            "proxy_headers": rest.proxy_headers,
            "server_hostname": rest.configuration.tls_server_name,
        }
        given = {name: value for name, value in more.items() if value}
        try:
            await self._authorize(headers, path, method)
            return await bounded_http.exchange(
                self._raw,
                method,
                f"{self._host}{path}",
                seconds=seconds,
                most=most,
                headers=headers,
                body=body,
                **given,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
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

    async def page(self, path: str, token: str, **query: str) -> Json:
        """A page of a list; `token` is the `continue` of the page before, "" the first.

        Smaller pages where it is too large.
        """
        limit, more = PAGE, {"continue": token} if token else {}
        while True:
            try:
                return await self.get(path, **query, **more, limit=str(limit))
            except TooLarge:
                if limit == 1:
                    raise
                limit = max(1, limit // 8)

    async def pages(self, path: str, start: str = "", **query: str) -> AsyncIterator[Json]:
        """Every page of a list, 500 objects each at most; `start` is the `continue` token of an earlier page."""
        token = start
        while True:
            page = await self.page(path, token, **query)
            yield page
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    async def list_all(self, path: str, **query: str) -> list[Json]:
        """Every object of a list. Whatever else stands in it is counted and left out."""
        return [item async for page in self.pages(path, **query) for item in _objects(page, path)]

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
    ) -> Json:
        _refuse_steps(path)
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": FIELD_MANAGER}
        what = f"{method} {path}"
        try:
            response = await self._send(method, path, url, headers, body)
            if response.status == 401 and await self._renewed(headers):
                response.response.release()
                response = await self._send(method, path, url, headers, body)
            text = await _read(response, what)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ClusterUnavailable(f"{what}: {type(error).__name__} {error}".strip()) from error
        if response.status < 400:
            return _decode(text, what) if text else {}
        raise _translate(response.status, text, dict(response.getheaders() or {}), what)

    async def _send(self, method: str, path: str, url: str, headers: dict[str, str], body: Any) -> Any:
        await self._authorize(headers, path, method)
        return await self._client.call_api(method, url, headers, body, _request_timeout=REQUEST_SECONDS)

    async def _authorize(self, headers: dict[str, str], path: str, method: str) -> None:
        if self._credentials:
            await self._credentials.renew_if_due()
            self._use_certificate()
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)

    async def _renewed(self, headers: Mapping[str, str]) -> bool:
        """Whether there are other credentials now than those that were refused."""
        refused = headers.get("authorization", "")
        return self._credentials is not None and await self._credentials.renew_refused(refused)

    def _use_certificate(self) -> None:
        """A client certificate that a program gave counts from the next connection on."""
        settings = self._client.configuration
        if settings.cert_file and settings.cert_file != self._certificate:
            self._certificate = settings.cert_file
            self._client.rest_client.ssl_context.load_cert_chain(settings.cert_file, settings.key_file)


async def _read(response: Any, what: str) -> bytes:
    """Raises TooLarge."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.response.content.iter_any():
        size += len(chunk)
        if size > LARGEST:
            response.response.close()
            raise TooLarge(f"{what}: the answer is larger than {LARGEST} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _decode(text: bytes, what: str) -> Json:
    shown = text[:100].decode(errors="replace")
    message = f"{what}: the answer is not a JSON object but {shown!r}; a proxy may have answered"
    try:
        content = bounded_json.loads(text)
    except ValueError as error:
        raise ClusterUnavailable(message) from error
    if not isinstance(content, dict):
        raise NotAnObject(message)
    return content


def _objects(page: Json, path: str) -> list[Json]:
    items = page.get("items") or []
    if not isinstance(items, list):
        raise NotAnObject(f"GET {path}: `items` is not a list but {str(items)[:100]!r}; a proxy may have answered")
    found = [item for item in items if isinstance(item, dict)]
    if len(found) < len(items):
        count(Stage.LISTED, path, f"{len(items) - len(found)} of the {len(items)} items are not objects")
    return found


def _refuse_steps(path: str) -> None:
    """Whatever was put into a path, it does not lead out of the place that it was put into."""
    if leads_elsewhere(path):
        raise ClusterRefused(f"{path[:300]!r} has a step such as `..` in it, and was not asked for")


def _translate(status: int, text: bytes, headers: Mapping[str, str], what: str) -> Exception:
    said = _status(text)
    message = said.get("message") or text.decode(errors="replace")
    detail = f"{what}: {status} {str(message)[:LONGEST_MESSAGE]}"
    match status:
        case 404:
            return Missing(detail)
        case 409:
            return Changed(detail)
        case 422 if what.startswith("PATCH") and _is_overtaken(said):
            return PreconditionFailed(detail)
        case 400 | 403 | 422 if not what.startswith("GET") and _is_denied(said):
            return PolicyRefused(detail)
        case 401 | 403:
            return Forbidden(detail)
        case 429 | 500 | 502 | 503 | 504:
            return ClusterUnavailable(detail, _retry_after(headers))
        case _:
            return ClusterRefused(detail)


def _status(text: bytes) -> Json:
    """The Status object; empty where the answer is none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_overtaken(said: Json) -> bool:
    """Whether a 422 means that the object is not as it was when the patch was made.

    A JSON patch that does not apply, as when a `test` fails, gets details without a name, a kind and causes. Whatever
    else is refused with 422 names the object or its causes: an invalid value, an admission policy. An admission webhook
    may leave them out, but not its name. A uid that is another object's is refused as a change of an immutable field.
    """
    details = said.get("details")
    details = details if isinstance(details, dict) else {}
    causes = details.get("causes")
    causes = causes if isinstance(causes, list) else []
    if any(isinstance(cause, dict) and cause.get("field") == "metadata.uid" for cause in causes):
        return True
    named = causes or details.get("name") or details.get("kind")
    return said.get("reason") == "Invalid" and not named and "admission webhook" not in str(said.get("message"))


def _is_denied(said: Json) -> bool:
    """Whether an admission policy or webhook said no; a missing right is told as `User "…" cannot …`."""
    message = str(said.get("message"))
    return "denied the request" in message or ("ValidatingAdmissionPolicy" in message and "denied request" in message)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(value) if value.isdigit() else None
