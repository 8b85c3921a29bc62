"""Creates an object, or restores the wanted spec, regardless of who changed it."""

import copy
import hashlib
import json

from functions.local.kserve.cluster import Cluster
from functions.local.kserve.resources import Json, Resource


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class Applied:
    """Knows what the API server made of each spec that was written (its defaults), and so sees every foreign edit.

    KServe asks the API server for the same by a dry run. `free` are the spec's fields that are others' to write, such as
    replicas beside an autoscaler.
    """

    def __init__(self, cluster: Cluster, resource: Resource, free: tuple[str, ...] = ()) -> None:
        self._cluster = cluster
        self._resource = resource
        self._free = free
        self._made: dict[str, tuple[str, str]] = {}

    async def ensure(self, wanted: Json, free: tuple[str, ...] | None = None) -> tuple[Json, bool]:
        """The object as it is now, and whether this call created it. ApiError where the API server refuses."""
        free = self._free if free is None else free
        meta = wanted["metadata"]
        existing = await self._cluster.get(self._resource, meta["namespace"], meta["name"])
        if existing is None:
            return self._remember(wanted, await self._cluster.create(self._resource, wanted), free), True
        if existing["metadata"].get("deletionTimestamp") or self._as_wanted(wanted, existing, free):
            return existing, False
        changed = copy.deepcopy(existing)
        changed["spec"] = copy.deepcopy(wanted["spec"])
        for field in free:
            if field in existing["spec"]:
                changed["spec"][field] = existing["spec"][field]
        for field in ("labels", "annotations"):
            changed["metadata"][field] = {**(existing["metadata"].get(field) or {}), **(meta.get(field) or {})}
        return self._remember(wanted, await self._cluster.replace(self._resource, changed), free), False

    async def remove(self, namespace: str, name: str, owner_uid: str) -> None:
        """Only what `owner_uid` controls: an object of the same name with another owner stays."""
        existing = await self._cluster.get(self._resource, namespace, name)
        if existing is None or existing["metadata"].get("deletionTimestamp"):
            return
        owners = {reference["uid"] for reference in existing["metadata"].get("ownerReferences", [])}
        if owner_uid in owners:
            await self._cluster.delete(self._resource, existing)

    def _remember(self, wanted: Json, written: Json, free: tuple[str, ...]) -> Json:
        self._made[written["metadata"]["uid"]] = (digest(_without(wanted, free)), digest(_without(written, free)))
        return written

    def _as_wanted(self, wanted: Json, existing: Json, free: tuple[str, ...]) -> bool:
        known = self._made.get(existing["metadata"]["uid"])
        if known:
            return known == (digest(_without(wanted, free)), digest(_without(existing, free)))
        if contains(_without(existing, free), _without(wanted, free)):
            self._remember(wanted, existing, free)
            return True
        return False


def _without(obj: Json, free: tuple[str, ...]) -> Json:
    return {key: value for key, value in obj["spec"].items() if key not in free}


def contains(whole: object, part: object) -> bool:
    """Whether `part` is in `whole`, whose defaults are allowed; annotations and labels must be the same exactly."""
    if isinstance(whole, dict) and isinstance(part, dict):
        exact = all(whole.get(key) == part.get(key) for key in ("annotations", "labels") if key in whole)
        return exact and all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return len(whole) == len(part) and all(contains(one, other) for one, other in zip(whole, part, strict=True))
    return whole == part
