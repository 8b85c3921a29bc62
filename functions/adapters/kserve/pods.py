"""Reading a pod: what it holds, whether it is ready, and why not."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from functions.adapters.cluster import Json
from functions.adapters.kserve.resources import HANDOVER_LABEL, LEFT_ANNOTATION
from functions.lifecycle.observation import DIGEST_ANNOTATION, Handover, Owner, Pod, Trouble
from functions.lifecycle.quantity import format_quantity, parse_quantity

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


def read_pod(item: Json) -> Pod:
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    handover = _handover(labels)
    requests = _effective_requests(spec)
    grace = spec.get("terminationGracePeriodSeconds")
    return Pod(
        uid=metadata["uid"],
        name=metadata["name"],
        component=next((labels[key] for key in _COMPONENT_LABELS if key in labels), "predictor"),
        ready=_condition(status, "Ready") == "True",
        node=spec.get("nodeName"),
        gpus=int(sum(amount for key, amount in requests.items() if _requests_gpu(key))),
        memory=int(requests.get("requests.memory", requests.get("limits.memory", Decimal(0)))),
        requests={key: format_quantity(amount) for key, amount in requests.items()},
        grace=_DEFAULT_GRACE if grace is None else int(grace),
        deleting="deletionTimestamp" in metadata or handover is Handover.LEAVING,
        deletion_grace=metadata.get("deletionGracePeriodSeconds"),
        owner=_owner(metadata),
        trouble=_trouble(status),
        finished=status.get("phase") in {"Succeeded", "Failed"},
        created=_moment(metadata.get("creationTimestamp")),
        ready_since=_moment((_found(status, "Ready") or {}).get("lastTransitionTime")),
        digest=annotations.get(DIGEST_ANNOTATION),
        crashed=_crashed(status),
        restarts=sum(container.get("restartCount", 0) for container in status.get("containerStatuses") or []),
        handover=handover,
        left_at=_left_at(annotations.get(LEFT_ANNOTATION)),
    )


def _handover(labels: Json) -> Handover | None:
    """Anybody may write any label on a pod: what is no word of ours says nothing."""
    try:
        return Handover(labels.get(HANDOVER_LABEL, ""))
    except ValueError:
        return None


def _left_at(text: str | None) -> datetime | None:
    try:
        left = _moment(text)
    except ValueError:
        return None
    return left if left and left.tzinfo else None


def _requests_gpu(key: str) -> bool:
    """Limits are listed beside requests, for quotas; they must not count twice."""
    return key.startswith("requests.") and is_gpu(key.removeprefix("requests."))


def _owner(metadata: Json) -> Owner | None:
    for reference in metadata.get("ownerReferences") or []:
        if reference.get("controller") and reference["kind"] in {"ReplicaSet", "StatefulSet"}:
            return Owner(reference["kind"], reference["name"], reference["uid"])
    return None


def _found(status: Json, name: str) -> Json | None:
    return next((c for c in status.get("conditions") or [] if c["type"] == name), None)


def _condition(status: Json, name: str) -> str | None:
    return (_found(status, name) or {}).get("status")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _crashed(status: Json) -> str | None:
    """How a container ended that should run, however often it was begun again."""
    for container in status.get("containerStatuses") or []:
        ended = [(container.get(state) or {}).get("terminated") for state in ("state", "lastState")]
        for last in ended:
            if last and last.get("exitCode", 0) != 0 and not container.get("ready"):
                said = (last.get("message") or "").strip()[-200:]
                return f"container {container['name']} ended with exit code {last['exitCode']}. {said}".strip()
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
                total[key] = total.get(key, Decimal(0)) + parse_quantity(amount)
    return total


def _trouble(status: Json) -> Trouble | None:
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
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
    failed = bool(last) and last.get("exitCode", 0) != 0
    crashing = failed and container.get("restartCount", 0) >= _RESTARTS_OF_A_CRASH_LOOP
    reason = waiting.get("reason") if waiting.get("reason") in _WAITING_TROUBLE else None
    if reason is None and crashing and "running" not in state:
        reason = "CrashLoopBackOff"
    if reason is None:
        return None
    if reason == "CrashLoopBackOff":
        how = f"exit code {last.get('exitCode')}, {last.get('reason') or 'Error'}, {container.get('restartCount', 0)} restarts"
        said = (last.get("message") or "").strip()[-300:]
        name = "StorageInitializerFailed" if init and container["name"] == "storage-initializer" else reason
        return Trouble(name, f"container {container['name']} keeps ending ({how}). {said}".strip())
    return Trouble(reason, f"container {container['name']}: {waiting.get('message') or reason}")
