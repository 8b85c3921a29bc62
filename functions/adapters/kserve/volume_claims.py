"""PersistentVolumeClaims that a model's pods mount, as far as they keep old and new pods from running side by side."""

import asyncio
from collections.abc import Iterable

from functions.adapters.cluster import Cluster, Json, Missing
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.resources import named
from functions.adapters.kserve.schema import VOLUME_CLAIM
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import NarrowClaim

_BY_MANY_NODES = frozenset({"ReadWriteMany", "ReadOnlyMany"})
_BY_ONE_POD = "ReadWriteOncePod"
_MOST = 20


async def narrow_claims(cluster: Cluster, namespace: str, pods: Iterable[Json]) -> tuple[NarrowClaim, ...]:
    """Those that only one node, or one pod, may use at a time. One that can't be read is left out."""
    names = sorted({name for pod in pods for name in _claims_of(pod)})[:_MOST]
    found = await asyncio.gather(*(_read(cluster, namespace, name) for name in names))
    return tuple(claim for claim in found if claim)


def _claims_of(pod: Json) -> Iterable[str]:
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if name:
            yield name


async def _read(cluster: Cluster, namespace: str, name: str) -> NarrowClaim | None:
    try:
        path = named(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", name)
        claim = parse(VOLUME_CLAIM, await cluster.get(path))
    except (Missing, StepError):
        return None
    own = (claim.get("status") or {}).get("accessModes") or (claim.get("spec") or {}).get("accessModes") or []
    if not own or _BY_MANY_NODES & set(own):
        return None
    return NarrowClaim(name, one_pod=set(own) == {_BY_ONE_POD})
