"""List, then watch, then list again when the watch has expired: what changed, told once per change."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp

from functions.local.kserve.cluster import ApiError, Cluster, WatchExpired
from functions.local.kserve.resources import Json, Resource

Listener = Callable[[Json], None]
RETRY_SECONDS = 1.0


def resource_version(obj: Json) -> Any:
    return obj["metadata"]["resourceVersion"]


class Mirror:
    """Follows one resource. `told` gets each object that is new, gone or whose `fingerprint` has changed."""

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        told: Listener,
        fingerprint: Callable[[Json], Any] = resource_version,
    ) -> None:
        self._cluster = cluster
        self._resource = resource
        self._told = told
        self._fingerprint = fingerprint
        self._known: dict[str, tuple[Any, Json]] = {}
        self.listed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. A server that is away is asked again, and said to be away once."""
        version = ""
        lost = False
        while True:
            try:
                version = version or await self._list()
                lost = False
                version = await self._watch(version)
            except WatchExpired:
                version = ""
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                if not lost:
                    print(f"kserve: watch of {self._resource.plural} lost ({error}); trying again", flush=True)
                lost = True
                version = ""
                await asyncio.sleep(RETRY_SECONDS)

    async def _list(self) -> str:
        found = await self._cluster.list(self._resource)
        seen = {obj["metadata"]["uid"] for obj in found["items"]}
        for obj in found["items"]:
            self._changed(obj)
        for uid in [uid for uid in self._known if uid not in seen]:
            self._gone(self._known[uid][1])
        self.listed.set()
        return str(found["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> str:
        async for kind, obj in self._cluster.watch(self._resource, version):
            version = obj["metadata"]["resourceVersion"]
            if kind == "DELETED":
                self._gone(obj)
            elif kind != "BOOKMARK":
                self._changed(obj)
        return version

    def _changed(self, obj: Json) -> None:
        uid = obj["metadata"]["uid"]
        fingerprint = self._fingerprint(obj)
        if uid not in self._known or self._known[uid][0] != fingerprint:
            self._known[uid] = (fingerprint, {"metadata": obj["metadata"], "kind": self._resource.kind})
            self._tell(obj)

    def _gone(self, obj: Json) -> None:
        self._known.pop(obj["metadata"]["uid"], None)
        self._tell(obj)

    def _tell(self, obj: Json) -> None:
        try:
            self._told(obj)
        except Exception as error:  # noqa: BLE001 - one object that can't be read must not stop the others
            print(
                f"kserve: {self._resource.kind} {obj['metadata'].get('name')}: {type(error).__name__} {error}",
                flush=True,
            )
