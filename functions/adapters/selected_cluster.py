"""A cluster where we have rights in some namespaces only: what is asked of all namespaces is asked of each of those.

A list of all namespaces would be refused (403) as a whole. So it is taken namespace by namespace, in the order of their
names, which is the order of a whole list too; its `continue` token says in which namespace to go on.
"""

import asyncio
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from functions.adapters.cluster import Cluster, Forbidden, Json, Missing
from functions.logs import logger

_NAMESPACES = "/api/v1/namespaces"
_KEPT_SECONDS = 5.0
_LISTS_AT_ONCE = 8
_VERSION = r"(?P<version>/api/v1|/apis/apps/v1|/apis/serving\.kserve\.io/v1[a-z0-9]*)"
_RESOURCE = (
    r"/(?P<resource>pods|resourcequotas|deployments|replicasets|statefulsets|inferenceservices|llminferenceservices"
    r"|inferencegraphs)"
)
_WHOLE_LIST = re.compile(_VERSION + _RESOURCE)
_IN_NAMESPACE = re.compile(_VERSION + r"/namespaces/(?P<namespace>[^/]+)" + _RESOURCE + r"(?P<name>/.+)?")
_SAID_AGAIN_SECONDS = 3600.0


class SelectedCluster(Cluster):
    """`select` says which namespaces, by their labels; until then there are none."""

    _selector = "modelswitch.dev/none"
    _known: tuple[float, tuple[str, ...]] = (0.0, ())
    _refused: Mapping[str, float] = {}

    def select(self, selector: str) -> None:
        self._selector = selector

    async def list_all(self, path: str, **query: str) -> list[Json]:
        """Several namespaces at a time."""
        whole = _WHOLE_LIST.fullmatch(path)
        if whole is None:
            return await super().list_all(path, **query)
        turns = asyncio.Semaphore(_LISTS_AT_ONCE)

        async def listed(namespace: str) -> list[Json]:
            async with turns:
                try:
                    return await self.list_all(_inside(whole, namespace), **query)
                except Forbidden as error:
                    self._say_refused(namespace, error)
                    return []

        found = await asyncio.gather(*(listed(namespace) for namespace in await self._namespaces()))
        return [item for items in found for item in items]

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
    ) -> Json:
        if (inside := _IN_NAMESPACE.fullmatch(path)) and inside["namespace"] not in await self._namespaces():
            return self._not_selected(method, path, inside)
        whole = _WHOLE_LIST.fullmatch(path) if method == "GET" else None
        if whole is None:
            return await super()._request(method, path, query, body, content_type)
        namespaces = await self._namespaces()
        if "limit" in query:
            return await self._one_page(whole, namespaces, query)
        turns = asyncio.Semaphore(_LISTS_AT_ONCE)

        async def listed(namespace: str) -> Json:
            async with turns:
                return await self._list(whole, namespace, query)

        pages = await asyncio.gather(*(listed(namespace) for namespace in namespaces))
        return _joined(pages)

    def _not_selected(self, method: str, path: str, inside: re.Match[str]) -> Json:
        """For us there is nothing: what is known of it from before is forgotten as if it was deleted."""
        if method == "GET" and not inside["name"]:
            return {"metadata": {}, "items": []}
        raise Missing(
            f"{method} {path}: namespace {inside['namespace']} has no label {self._selector}; make opt-in sets it"
        )

    async def _one_page(self, whole: re.Match[str], namespaces: tuple[str, ...], query: Mapping[str, str]) -> Json:
        """At most one namespace's; those that are empty are passed over."""
        begun, token = _read_token(query.get("continue", ""))
        left = [namespace for namespace in namespaces if namespace >= begun]
        rest = {name: value for name, value in query.items() if name != "continue"}
        page: Json = {"metadata": {}, "items": []}
        for number, namespace in enumerate(left):
            more = {"continue": token} if token and namespace == begun else {}
            page = await self._list(whole, namespace, {**rest, **more})
            metadata = dict(page.get("metadata") or {})
            further = metadata.pop("continue", "")
            following = left[number + 1] if number + 1 < len(left) else ""
            onward = _token(namespace, further) if further else _token(following, "") if following else ""
            page = {**page, "metadata": {**metadata, **({"continue": onward} if onward else {})}}
            if page.get("items"):
                break
        return page

    async def _list(self, whole: re.Match[str], namespace: str, query: Mapping[str, str]) -> Json:
        """A namespace that has the label but no RoleBinding of ours costs the others nothing."""
        try:
            return await super()._request("GET", _inside(whole, namespace), query)
        except Forbidden as error:
            self._say_refused(namespace, error)
            return {"metadata": {}, "items": []}

    async def _namespaces(self) -> tuple[str, ...]:
        until, names = self._known
        if time.monotonic() > until:
            found = await super()._request("GET", _NAMESPACES, {"labelSelector": self._selector})
            names = tuple(sorted(item["metadata"]["name"] for item in found.get("items") or []))
            self._known = (time.monotonic() + _KEPT_SECONDS, names)
        return names

    def _say_refused(self, namespace: str, error: Forbidden) -> None:
        now = time.monotonic()
        if self._refused.get(namespace, 0.0) > now:
            return
        self._refused = {**self._refused, namespace: now + _SAID_AGAIN_SECONDS}
        logger().warning(
            "a namespace opted in, but lists there are refused; make opt-in binds the roles",
            action="list",
            namespace=namespace,
            error=str(error),
        )


def _inside(whole: re.Match[str], namespace: str) -> str:
    return f"{whole['version']}/namespaces/{namespace}/{whole['resource']}"


def _joined(pages: list[Json]) -> Json:
    """The oldest version: what holds since then holds for all of it."""
    versions = [version for page in pages if (version := (page.get("metadata") or {}).get("resourceVersion"))]
    oldest = min(versions, key=_as_number, default=None)
    metadata = {"resourceVersion": oldest} if oldest else {}
    return {"metadata": metadata, "items": [item for page in pages for item in page.get("items") or []]}


def _as_number(version: str) -> int:
    return int(version) if version.isdecimal() else 0


def _token(namespace: str, further: str) -> str:
    return urlsafe_b64encode(json.dumps([namespace, further]).encode()).decode()


def _read_token(token: str) -> tuple[str, str]:
    """One that is none of ours begins at the first namespace again: what is read twice does no harm."""
    try:
        namespace, further = json.loads(urlsafe_b64decode(token)) if token else ("", "")
    except ValueError:
        return "", ""
    return str(namespace), str(further)
