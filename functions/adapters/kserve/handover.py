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
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import (
    HANDOVER_LABEL,
    LEFT_ANNOTATION,
    SERVICE_LABEL,
    named,
    owner_of,
    pods,
    workloads,
)
from functions.adapters.kserve.schema import WORKLOAD
from functions.lifecycle.effects import MarkPod
from functions.lifecycle.errors import PreconditionFailed
from functions.lifecycle.observation import Handover, Observation, Pod
from functions.object_errors import Stage, one_object

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
        """Every model of the cluster with a pod that is out of its Service: only modelswitch deletes such a pod."""
        items = await self._cluster.list_all(pods(None), labelSelector=_LEAVING)
        found: dict[ModelRef, None] = {}
        for item in items:
            with one_object(Stage.LEFT_POD, name_of(item)):
                if owner := owner_of(item["metadata"].get("labels") or {}, item["metadata"]["namespace"]):
                    found[owner] = None
        return list(found)

    async def _wanted(self, namespace: str, kind: str, name: str) -> int:
        try:
            item = await self._cluster.get(named(workloads(kind, namespace), name))
        except Missing:
            return 0
        wanted = (parse(WORKLOAD, item).get("spec") or {}).get("replicas")
        return 1 if wanted is None else int(wanted)


def leaving(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Those that are out of their Service."""
    return tuple(pod for pod in pods if pod.handover is Handover.LEAVING)


def _marks(effect: MarkPod) -> Json:
    left = effect.handover is Handover.LEAVING
    labels: Json = {HANDOVER_LABEL: effect.handover, **({SERVICE_LABEL: None} if left else {})}
    return {"labels": labels, "annotations": {LEFT_ANNOTATION: effect.at.isoformat() if left else None}}
