"""Reading a pod: what it holds, whether it is ready, and why not."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from functions.adapters.cluster import Json
from functions.adapters.kserve.parsing import Parsed, Unreadable, parse
from functions.adapters.kserve.pod_loading import loading, startup_seconds
from functions.adapters.kserve.resources import HANDOVER_LABEL, LEFT_ANNOTATION
from functions.adapters.kserve.schema import MOST_SECONDS, POD
from functions.adapters.kserve.server_end import server_seconds
from functions.lifecycle.moments import in_bounds
from functions.lifecycle.observation import DIGEST_ANNOTATION, Handover, Owner, Pod, Trouble
from functions.lifecycle.quantity import format_quantity
from functions.lifecycle.unusable import Unusable

_WAITING_TROUBLE = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
_COMPONENT_LABELS = ("component", "app.kubernetes.io/component")
_RESTARTS_OF_A_CRASH_LOOP = 2
_DEFAULT_GRACE = 30


def is_gpu(resource: str) -> bool:
    """Device plugins name GPUs like nvidia.com/gpu, amd.com/gpu, nvidia.com/mig-1g.5gb, gpu.intel.com/i915, habana.ai/gaudi."""
    vendor, _, device = resource.partition("/")
    return bool(device) and (device in {"gpu", "gaudi"} or device.startswith("mig-") or vendor == "gpu.intel.com")


def parse_pod(item: Json) -> Parsed:
    """What of a pod is as it should be. Unreadable: it has no name or uid, which no pod of an API server lacks."""
    parsed = parse(POD, item, f"pod {name_of(item)}")
    metadata = parsed.get("metadata") or {}
    if not (metadata.get("name") and metadata.get("uid")):
        raise Unreadable(f"pod {name_of(item)} has no name or no uid")
    return parsed


def unreadable_pod(name: str, place: int, error: Exception) -> Pod:
    """Stands for a pod of which nothing is known but that it is there."""
    return Pod(
        uid=f"unreadable-{place}",
        name=name,
        component="predictor",
        ready=False,
        node=None,
        gpus=0,
        memory=0,
        requests={},
        grace=MOST_SECONDS,
        deleting=False,
        deletion_grace=None,
        owner=None,
        unusable=(Unusable(f"pod {name}", f"not readable ({type(error).__name__})", "a pod as Kubernetes has it"),),
    )


def read_pod(item: Json) -> Pod:
    """Raises as parse_pod."""
    item = parse_pod(item)
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    handover = _handover(labels)
    requests = _effective_requests(spec)
    own, given = spec.get("terminationGracePeriodSeconds"), metadata.get("deletionGracePeriodSeconds")
    too_long = _too_long(metadata["name"], own, given)
    return Pod(
        uid=metadata["uid"],
        name=metadata["name"],
        component=next((labels[key] for key in _COMPONENT_LABELS if labels.get(key)), "predictor"),
        ready=_condition(status, "Ready") == "True",
        node=spec.get("nodeName"),
        gpus=int(sum(amount for key, amount in requests.items() if _requests_gpu(key))),
        memory=int(requests.get("requests.memory", requests.get("limits.memory", Decimal(0)))),
        requests={key: format_quantity(amount) for key, amount in requests.items()},
        grace=_DEFAULT_GRACE if own is None else min(own, MOST_SECONDS),
        deleting=metadata.get("deletionTimestamp") is not None or handover is Handover.LEAVING,
        deletion_grace=None if given is None else min(given, MOST_SECONDS),
        owner=_owner(metadata),
        trouble=_trouble(status),
        finished=status.get("phase") in {"Succeeded", "Failed"},
        created=metadata.get("creationTimestamp"),
        ready_since=(_found(status, "Ready") or {}).get("lastTransitionTime"),
        digest=annotations.get(DIGEST_ANNOTATION),
        crashed=_crashed(status),
        restarts=sum(container.get("restartCount") or 0 for container in status.get("containerStatuses") or []),
        handover=handover,
        left_at=_moment(annotations.get(LEFT_ANNOTATION)),
        ends_by=_moment(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        scheduled_at=(_found(status, "PodScheduled") or {}).get("lastTransitionTime") if spec.get("nodeName") else None,
        startup_seconds=startup_seconds(spec),
        loading=loading(spec, status),
        server_seconds=server_seconds(spec),
        unusable=(*item.unusable, *too_long),
    )


def name_of(item: Any) -> str:
    """For a person, of whatever stands in a list of objects."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return str(metadata.get("name"))[:80] if isinstance(metadata, dict) else "without metadata"


def _too_long(pod: str, own: int | None, given: int | None) -> Iterator[Unusable]:
    """Legal in Kubernetes, and more than a date can hold.

    It counts as MOST_SECONDS: the pod may well take that long.
    """
    fields = {"spec.terminationGracePeriodSeconds": own, "metadata.deletionGracePeriodSeconds": given}
    for field, seconds in fields.items():
        if seconds is not None and seconds > MOST_SECONDS:
            yield Unusable(f"{field} of pod {pod}", str(seconds), f"at most {MOST_SECONDS}")


def _handover(labels: Json) -> Handover | None:
    """Any user may write any label on a pod: an unknown value is ignored."""
    try:
        return Handover(labels.get(HANDOVER_LABEL, ""))
    except ValueError:
        return None


def _moment(text: str | None) -> datetime | None:
    try:
        return in_bounds(datetime.fromisoformat(text)) if text else None
    except ValueError:
        return None


def _requests_gpu(key: str) -> bool:
    """Limits are listed beside requests, for quotas; they must not count twice."""
    return key.startswith("requests.") and is_gpu(key.removeprefix("requests."))


def _owner(metadata: Json) -> Owner | None:
    for reference in metadata.get("ownerReferences") or []:
        kind, name, uid = (reference.get(field) for field in ("kind", "name", "uid"))
        if reference.get("controller") and kind in {"ReplicaSet", "StatefulSet"} and name and uid:
            return Owner(kind, name, uid)
    return None


def _found(status: Json, name: str) -> Json | None:
    return next((c for c in status.get("conditions") or [] if c.get("type") == name), None)


def _condition(status: Json, name: str) -> str | None:
    return (_found(status, name) or {}).get("status")


def _crashed(status: Json) -> str | None:
    """How a container ended that should run, however often it was restarted."""
    for container in status.get("containerStatuses") or []:
        ended = [(container.get(state) or {}).get("terminated") for state in ("state", "lastState")]
        for last in ended:
            if last and last.get("exitCode") and not container.get("ready"):
                said = (last.get("message") or "").strip()[-200:]
                return f"container {container.get('name')} ended with exit code {last['exitCode']}. {said}".strip()
    return None


def _effective_requests(spec: Json) -> dict[str, Decimal]:
    """What quota and scheduler count: containers and sidecars together, or the largest init container."""
    init = spec.get("initContainers") or []
    sidecars = [container for container in init if container.get("restartPolicy") == "Always"]
    together = _sum([*(spec.get("containers") or []), *sidecars])
    for container in init:
        if container in sidecars:
            continue
        for key, amount in _sum([container]).items():
            together[key] = max(amount, together.get(key, Decimal(0)))
    return together


def _sum(containers: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in containers:
        resources = container.get("resources") or {}
        requests = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for kind, amounts in (("requests", requests), ("limits", resources.get("limits") or {})):
            for name, amount in amounts.items():
                key = f"{kind}.{name}"
                total[key] = total.get(key, Decimal(0)) + amount
    return total


def _trouble(status: Json) -> Trouble | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = condition.get("reason") or "Unschedulable"
            return (
                Trouble(reason, condition.get("message") or "no node has room for it")
                if reason == "Unschedulable"
                else None
            )
    for init, statuses in ((True, "initContainerStatuses"), (False, "containerStatuses")):
        for container in status.get(statuses) or []:
            if trouble := _container_trouble(container, init=init):
                return trouble
    if status.get("phase") == "Failed":
        return Trouble(status.get("reason") or "PodFailed", status.get("message") or "the pod has failed")
    return None


def _container_trouble(container: Json, *, init: bool) -> Trouble | None:
    if container.get("ready"):
        return None
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    last = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    restarts = container.get("restartCount") or 0
    crashing = bool(last.get("exitCode")) and restarts >= _RESTARTS_OF_A_CRASH_LOOP
    reason = waiting.get("reason") if waiting.get("reason") in _WAITING_TROUBLE else None
    if reason is None and crashing and state.get("running") is None:
        reason = "CrashLoopBackOff"
    if reason is None:
        return None
    if reason == "CrashLoopBackOff":
        how = f"exit code {last.get('exitCode')}, {last.get('reason') or 'Error'}, {restarts} restarts"
        said = (last.get("message") or "").strip()[-300:]
        name = "StorageInitializerFailed" if init and container.get("name") == "storage-initializer" else reason
        return Trouble(name, f"container {container.get('name')} keeps ending ({how}). {said}".strip())
    return Trouble(reason, f"container {container.get('name')}: {waiting.get('message') or reason}")
