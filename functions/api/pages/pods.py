"""A model's pods as they are now, with their conditions: what `kubectl describe pod` would be opened for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.model import ModelRef
from functions.adapters.cluster import Json
from functions.adapters.kserve.pods import name_of, parse_pod, read_pod
from functions.adapters.kserve.resources import pod_selector, pods
from functions.adapters.kserve.schema import MOST_PODS
from functions.api.context import Api
from functions.lifecycle.observation import Pod
from functions.object_errors import Stage, one_object

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
    views: list[PodView] = []
    for item in (listed.get("items") or [])[:MOST_PODS]:
        with one_object(Stage.POD, name_of(item)):
            views.append(_view(parse_pod(item)))
    return sorted(views, key=lambda view: view.pod.name)


def _view(item: Json) -> PodView:
    """`item` as it was parsed."""
    status = item.get("status") or {}
    pod = read_pod(item)
    return PodView(
        pod=pod,
        phase="Terminating" if pod.terminating else "Leaving" if pod.deleting else status.get("phase") or "Unknown",
        since=pod.created,
        conditions=tuple(sorted((_condition(one) for one in status.get("conditions") or []), key=_place)),
        containers=tuple(
            _container(one)
            for names in ("initContainerStatuses", "containerStatuses")
            for one in status.get(names) or []
        ),
    )


def _condition(one: dict[str, Any]) -> Condition:
    why = ": ".join(part for part in (one.get("reason"), one.get("message")) if part)
    return Condition(one.get("type") or "?", one.get("status") or "?", why)


def _place(condition: Condition) -> tuple[int, str]:
    return (_ORDER.index(condition.name) if condition.name in _ORDER else len(_ORDER), condition.name)


def _container(one: dict[str, Any]) -> Container:
    state = one.get("state") or {}
    if waiting := state.get("waiting"):
        words = f"waiting: {waiting.get('reason') or 'no reason given'}"
    elif ended := state.get("terminated"):
        words = f"ended: {ended.get('reason') or 'no reason given'} (exit code {ended.get('exitCode')})"
    else:
        words = "running" if state.get("running") is not None else "unknown"
    return Container(one.get("name") or "?", words, one.get("restartCount") or 0)
