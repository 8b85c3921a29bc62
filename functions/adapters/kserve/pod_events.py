"""Why a pod that has a node starts no container: only its Events tell of volumes, of its sandbox and of its network.

Events are kept for an hour and repeated while the cause lasts, so the latest ones count. They are asked for where a pod has not
moved for 30 seconds.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.adapters.cluster import Cluster, Json, Missing
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.schema import EVENTS
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Observation, Pod, Trouble

PATIENCE = timedelta(seconds=30)
_LATELY = timedelta(minutes=10)
_KEPT_SECONDS = 15.0
_AT_ONCE = 8
_MOST = "100"
_PROGRESS = frozenset({"Pulling", "Pulled", "Created", "Started"})
_ONLY_LATE = ("timed out waiting for the condition", "context deadline exceeded")
"""Beside the event that says what fails, the kubelet complains that it waits."""


@dataclass(frozen=True)
class _Event:
    at: datetime
    warning: bool
    reason: str
    message: str


class PodEvents:
    """One pod's events are asked for again after 15 seconds, and a few pods' at once."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._known: dict[str, tuple[float, tuple[_Event, ...]]] = {}

    async def with_causes(self, seen: Observation, pods: Mapping[str, Json]) -> Observation:
        """The observation, each pod that does not move with what its events say; `pods`: as objects, by uid.

        Where the events can't be read, it stays as it was.
        """
        if seen.stop_wanted or not any(_stands_still(pod, pods.get(pod.uid), seen.observed_at) for pod in seen.pods):
            return seen
        explained = (self._explained(seen, pod, pods.get(pod.uid)) for pod in seen.pods)
        return replace(seen, pods=tuple(await asyncio.gather(*explained)))

    async def _explained(self, seen: Observation, pod: Pod, item: Json | None) -> Pod:
        if not _stands_still(pod, item, seen.observed_at):
            return pod
        events = await self._events(seen.ref.namespace, pod.uid)
        cause = _cause(events, seen.observed_at)
        return replace(pod, trouble=cause if cause or pod.node else _unnoticed(item or {}))

    async def _events(self, namespace: str, uid: str) -> tuple[_Event, ...]:
        async with self._turns:
            known = self._known.get(uid)
            now = self._clock()
            if known and now < known[0]:
                return known[1]
            self._known = {one: kept for one, kept in self._known.items() if now < kept[0] + _KEPT_SECONDS}
            events = await self._ask(namespace, uid)
            if events is None:
                events = known[1] if known else ()
            self._known[uid] = (now + _KEPT_SECONDS, events)
            return events

    async def _ask(self, namespace: str, uid: str) -> tuple[_Event, ...] | None:
        path, selector = f"/api/v1/namespaces/{namespace}/events", f"involvedObject.uid={uid}"
        try:
            listed = await self._cluster.get(path, fieldSelector=selector, limit=_MOST)
        except (Missing, StepError):
            return None
        return tuple(_read(parse(EVENTS, listed).get("items") or []))


def _unnoticed(item: Json) -> Trouble:
    """A pod that waits for a ResourceClaim is kept from the scheduler's queue, without a condition."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    made = {one.get("name") for one in status.get("resourceClaimStatuses") or []}
    templated = [one.get("name") for one in spec.get("resourceClaims") or [] if not one.get("resourceClaimName")]
    if missing := [str(name) for name in templated if name not in made]:
        return Trouble("ResourceClaimMissing", f"its ResourceClaim {missing[0]} is not made yet")
    scheduler = spec.get("schedulerName") or "default-scheduler"
    return Trouble("NoScheduler", f"the scheduler {scheduler} says nothing of it")


def _stands_still(pod: Pod, item: Json | None, now: datetime) -> bool:
    """It is to run, nothing says why it does not, and no container of it has got as far as running."""
    if pod.ready or pod.deleting or pod.finished or pod.trouble or item is None:
        return False
    if pod.created is None or now - pod.created < PATIENCE:
        return False
    status = item.get("status") or {}
    conditions = status.get("conditions") or []
    if pod.node is None:
        return not any(one.get("type") == "PodScheduled" for one in conditions)
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return not any((container.get("state") or {}).get("running") is not None for container in containers)


def _read(items: Iterable[Json]) -> Iterator[_Event]:
    for item in items:
        series = item.get("series") or {}
        moments = [
            series.get("lastObservedTime"),
            item.get("lastTimestamp"),
            item.get("eventTime"),
            item.get("firstTimestamp"),
            (item.get("metadata") or {}).get("creationTimestamp"),
        ]
        at = max((moment for moment in moments if moment), default=None)
        if at and item.get("reason"):
            yield _Event(at, item.get("type") == "Warning", item["reason"], item.get("message") or item["reason"])


def _cause(events: Iterable[_Event], now: datetime) -> Trouble | None:
    """The latest warning since something went on; one that says more than that it waits goes first."""
    events = sorted(events, key=lambda event: event.at)
    went_on = max((event.at for event in events if event.reason in _PROGRESS), default=None)
    warnings = [
        event
        for event in events
        if event.warning and event.reason != "FailedScheduling" and event.at >= now - _LATELY
        if went_on is None or event.at > went_on
    ]
    if not warnings:
        return None
    telling = [event for event in warnings if not any(late in event.message for late in _ONLY_LATE)]
    event = (telling or warnings)[-1]
    return Trouble(event.reason, event.message)
