"""Where a pod stands in its queue of Kueue, by Kueue's visibility API (visibility.kueue.x-k8s.io, served from Kueue 0.9 on)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from functions.adapters.cluster import Cluster, Json, Missing
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.resources import named
from functions.adapters.kserve.schema import PENDING_WORKLOADS
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Observation, Pod

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_GROUP_LABEL = "kueue.x-k8s.io/pod-group-name"
_GROUP = "/apis/visibility.kueue.x-k8s.io"
_VERSIONS = ("v1beta2", "v1beta1")
_KEPT_SECONDS = 10.0


@dataclass(frozen=True)
class _Queue:
    """Positions from 1 on, by the uid of a workload's owner and by its name. `until`: when to ask again."""

    positions: Mapping[str, int]
    length: int
    until: float


class Kueue:
    """A queue is asked again after 10 seconds: a model that waits is observed every few seconds."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._queues: dict[tuple[str, str], _Queue] = {}

    async def with_positions(self, seen: Observation, pods: Mapping[str, Json]) -> Observation:
        """The observation, its pods that wait in a queue with their position there; `pods`: as objects, by uid.

        What Kueue does not tell, or may not be asked, is left as it is.
        """
        if not any(pod.trouble and pod.trouble.held for pod in seen.pods):
            return seen
        return replace(
            seen, pods=tuple([await self._placed(seen.ref.namespace, pod, pods.get(pod.uid)) for pod in seen.pods])
        )

    async def _placed(self, namespace: str, pod: Pod, item: Json | None) -> Pod:
        labels = ((item or {}).get("metadata") or {}).get("labels") or {}
        queue = labels.get(QUEUE_LABEL)
        if not queue or pod.trouble is None or not pod.trouble.held:
            return pod
        found = await self._queue(namespace, queue)
        keys = (pod.uid, pod.owner.uid if pod.owner else "", str(labels.get(_GROUP_LABEL) or ""))
        place = next((found.positions[key] for key in keys if key in found.positions), None)
        told = f"position {place} of {found.length}" if place else "its position there is unknown"
        return replace(pod, trouble=replace(pod.trouble, message=f"{pod.trouble.message} ({told})"))

    async def _queue(self, namespace: str, queue: str) -> _Queue:
        key, now = (namespace, queue), self._clock()
        known = self._queues.get(key)
        if known is None or now >= known.until:
            self._queues = {one: kept for one, kept in self._queues.items() if now < kept.until}
            known = self._queues[key] = await self._ask(namespace, queue, now + _KEPT_SECONDS)
        return known

    async def _ask(self, namespace: str, queue: str, until: float) -> _Queue:
        for version in _VERSIONS:
            try:
                path = named(f"{_GROUP}/{version}/namespaces/{namespace}/localqueues", queue)
                return _read(await self._cluster.get(f"{path}/pendingworkloads"), until)
            except Missing:
                continue
            except StepError:
                break
        return _Queue({}, 0, until)


def _read(summary: Json, until: float) -> _Queue:
    items = parse(PENDING_WORKLOADS, summary).get("items") or []
    positions: dict[str, int] = {}
    for item in items:
        metadata, place = item.get("metadata") or {}, item.get("positionInLocalQueue")
        if place is None:
            continue
        owners = [owner.get("uid") for owner in metadata.get("ownerReferences") or []]
        positions |= {key: place + 1 for key in (*owners, metadata.get("name")) if key}
    return _Queue(positions, len(items), until)
