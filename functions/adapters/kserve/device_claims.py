"""Accelerators that a pod has by DRA: counted in the allocation of its ResourceClaims (resource.k8s.io), where that is readable."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from functions.adapters.cluster import Cluster, Json, Missing
from functions.adapters.kserve.accelerators import drives_accelerators
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.resources import named
from functions.adapters.kserve.schema import DEVICE_CLAIM
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Observation, Pod

_GROUP = "/apis/resource.k8s.io"
_VERSIONS = ("v1", "v1beta2", "v1beta1")
_MOST_KNOWN = 5000
_AT_ONCE = 8


class DeviceClaims:
    """An allocation does not change while its pod is there, so each is read once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._known: dict[tuple[str, str], int] = {}

    async def with_devices(self, seen: Observation, pods: Mapping[str, Json]) -> Observation:
        """The observation, its pods with the accelerators of their claims; `pods`: as objects, by uid.

        What can't be read, is not allocated yet or is shared with another pod leaves the number inexact.
        """
        if all(pod.gpus_exact for pod in seen.pods):
            return seen
        counted = (self._counted(seen.ref.namespace, pod, pods.get(pod.uid)) for pod in seen.pods)
        return replace(seen, pods=tuple(await asyncio.gather(*counted)))

    async def _counted(self, namespace: str, pod: Pod, item: Json | None) -> Pod:
        if pod.gpus_exact or item is None:
            return pod
        names = _claims_of(item)
        if None in names:
            return pod
        found = await asyncio.gather(*(self._devices(namespace, str(name), pod.uid) for name in names))
        known = [count for count in found if count is not None]
        return replace(pod, gpus=pod.gpus + sum(known), gpus_exact=len(known) == len(names))

    async def _devices(self, namespace: str, name: str, uid: str) -> int | None:
        key = (uid, name)
        if key not in self._known:
            async with self._turns:
                count = await self._ask(namespace, name)
            if count is None:
                return None
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = count
        return self._known[key]

    async def _ask(self, namespace: str, name: str) -> int | None:
        for version in _VERSIONS:
            try:
                path = named(f"{_GROUP}/{version}/namespaces/{namespace}/resourceclaims", name)
                return _count(await self._cluster.get(path))
            except Missing:
                continue
            except StepError:
                break
        return None


def _claims_of(item: Json) -> list[str | None]:
    """Their names. None for one that is still to be made from its template; one that need not be made is left out."""
    wanted = (item.get("spec") or {}).get("resourceClaims") or []
    made = {one.get("name"): one for one in (item.get("status") or {}).get("resourceClaimStatuses") or []}
    names: list[str | None] = []
    for claim in wanted:
        known = made.get(claim.get("name"))
        if claim.get("resourceClaimName") or known is None:
            names.append(claim.get("resourceClaimName"))
        elif known.get("resourceClaimName"):
            names.append(known["resourceClaimName"])
    return names


def _count(claim: Json) -> int | None:
    """Of its allocated devices, the accelerators. None where that is not known."""
    status = parse(DEVICE_CLAIM, claim).get("status") or {}
    allocation = status.get("allocation")
    if allocation is None or len(status.get("reservedFor") or []) > 1:
        return None
    results = (allocation.get("devices") or {}).get("results") or []
    kinds = [drives_accelerators(one.get("driver") or "") for one in results if not one.get("adminAccess")]
    return None if None in kinds else kinds.count(True)
