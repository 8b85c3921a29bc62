"""The old pods of a rolling reload: keeping them, and taking them out of their Service before they end.

Marks are labels on the pods, written through their status subresource, which can change no spec. While one is there, the
ValidatingAdmissionPolicy of ours (knative/base/handover.yaml) lets no ReplicaSet delete the pod. A pod without the label
of its Service is let go by its ReplicaSet too, which by then wants fewer and makes no other.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from events.model import ModelRef
from functions.adapters.cluster import Changed, Cluster, Json, Missing
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.resources import (
    HANDOVER_LABEL,
    LEFT_ANNOTATION,
    SERVICE_LABEL,
    named,
    owner_of,
    pods,
    workloads,
)
from functions.lifecycle.effects import MarkPod
from functions.lifecycle.errors import PreconditionFailed
from functions.lifecycle.observation import Handover, Observation, Pod

_LEAVING = f"{HANDOVER_LABEL}={Handover.LEAVING}"


class Handovers:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def mark(self, effect: MarkPod) -> None:
        """A pod of another uid answers 422 (409 elsewhere): it is another one by now."""
        with suppress(Missing, Changed, PreconditionFailed):
            path = f"{named(pods(effect.ref.namespace), effect.name)}/status"
            await self._cluster.merge_patch(path, {"metadata": {"uid": effect.uid, **_marks(effect)}})

    async def wanted(self, seen: Observation) -> Mapping[str, int]:
        """How many pods each ReplicaSet with a kept pod is to have, by uid: 0 where it is gone."""
        kept = {pod.owner for pod in seen.pods if pod.handover is Handover.KEPT and pod.owner}
        counts = await asyncio.gather(*(self._wanted(seen.ref.namespace, owner.kind, owner.name) for owner in kept))
        return {owner.uid: count for owner, count in zip(kept, counts, strict=True)}

    async def models_left(self) -> list[ModelRef]:
        """Every model of the cluster with a pod that is out of its Service: nobody but us would end that."""
        items = await self._cluster.list_all(pods(None), labelSelector=_LEAVING)
        owners = (owner_of(item["metadata"].get("labels") or {}, item["metadata"]["namespace"]) for item in items)
        return list(dict.fromkeys(owner for owner in owners if owner))

    async def _wanted(self, namespace: str, kind: str, name: str) -> int:
        try:
            item = await self._cluster.get(named(workloads(kind, namespace), name))
        except Missing:
            return 0
        return int((item.get("spec") or {}).get("replicas", 1))


def leaving(items: Iterable[Json]) -> tuple[Pod, ...]:
    """Of a list of pods those that are out of their Service."""
    return tuple(pod for pod in map(read_pod, items) if pod.handover is Handover.LEAVING)


def _marks(effect: MarkPod) -> Json:
    left = effect.handover is Handover.LEAVING
    labels: Json = {HANDOVER_LABEL: effect.handover, **({SERVICE_LABEL: None} if left else {})}
    return {"labels": labels, "annotations": {LEFT_ANNOTATION: effect.at.isoformat() if left else None}}
