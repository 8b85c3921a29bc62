"""A model's pods as they are now, with their conditions: what `kubectl describe pod` would be opened for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.model import ModelRef
from functions.adapters.cluster import Json
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.resources import pod_selector, pods
from functions.api.context import Api
from functions.lifecycle.observation import Pod

_ORDER = ("PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")


@dataclass(frozen=True)
class Condition:
    name: str
    status: str
    why: str


@dataclass(frozen=True)
class Container:
    """`state` in words: running, waiting: ImagePullBackOff, ended: Error (exit code 1)."""

    name: str
    state: str
    restarts: int


@dataclass(frozen=True)
class PodView:
    pod: Pod
    phase: str
    since: datetime | None
    conditions: tuple[Condition, ...]
    containers: tuple[Container, ...]


async def pods_of(api: Api, ref: ModelRef) -> list[PodView]:
    """Raises as Cluster.get."""
    listed = await api.parts.cluster.get(pods(ref.namespace), labelSelector=pod_selector(ref))
    return sorted((_view(item) for item in listed.get("items") or []), key=lambda view: view.pod.name)


def _view(item: Json) -> PodView:
    status = item.get("status") or {}
    created = item["metadata"].get("creationTimestamp")
    pod = read_pod(item)
    return PodView(
        pod=pod,
        phase="Terminating" if pod.terminating else "Leaving" if pod.deleting else status.get("phase") or "Unknown",
        since=datetime.fromisoformat(created) if created else None,
        conditions=tuple(sorted((_condition(one) for one in status.get("conditions") or []), key=_place)),
        containers=tuple(
            _container(one)
            for names in ("initContainerStatuses", "containerStatuses")
            for one in status.get(names) or []
        ),
    )


def _condition(one: dict[str, Any]) -> Condition:
    why = ": ".join(part for part in (one.get("reason"), one.get("message")) if part)
    return Condition(one["type"], one["status"], why)


def _place(condition: Condition) -> tuple[int, str]:
    return (_ORDER.index(condition.name) if condition.name in _ORDER else len(_ORDER), condition.name)


def _container(one: dict[str, Any]) -> Container:
    state = one.get("state") or {}
    if waiting := state.get("waiting"):
        words = f"waiting: {waiting.get('reason') or 'no reason given'}"
    elif ended := state.get("terminated"):
        words = f"ended: {ended.get('reason') or 'no reason given'} (exit code {ended.get('exitCode')})"
    else:
        words = "running" if "running" in state else "unknown"
    return Container(one["name"], words, one.get("restartCount") or 0)
