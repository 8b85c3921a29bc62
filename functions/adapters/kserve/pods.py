"""Reading a pod: what it holds, whether it is ready, and why not."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from functions.adapters.cluster import Json
from functions.adapters.kserve.accelerators import is_accelerator
from functions.adapters.kserve.containers import container_trouble, crashed
from functions.adapters.kserve.parsing import Parsed, Unreadable, parse
from functions.adapters.kserve.pod_loading import loading, startup_seconds
from functions.adapters.kserve.pod_requests import effective_requests
from functions.adapters.kserve.resources import HANDOVER_LABEL, LEFT_ANNOTATION, REVISION_LABEL
from functions.adapters.kserve.scheduling import gated, unschedulable
from functions.adapters.kserve.schema import MOST_SECONDS, POD
from functions.adapters.kserve.server_end import server_seconds
from functions.lifecycle.moments import in_bounds
from functions.lifecycle.observation import DIGEST_ANNOTATION, Handover, Owner, Pod, Trouble
from functions.lifecycle.quantity import format_quantity
from functions.lifecycle.unusable import Unusable

_COMPONENT_LABELS = ("component", "app.kubernetes.io/component")
_PART_OF_LABEL, _LLM = "app.kubernetes.io/part-of", "llminferenceservice"
_DEFAULT_GRACE = 30


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
    requests = effective_requests(spec)
    own, given = spec.get("terminationGracePeriodSeconds"), metadata.get("deletionGracePeriodSeconds")
    too_long = _too_long(metadata["name"], own, given)
    return Pod(
        uid=metadata["uid"],
        name=metadata["name"],
        component=_component(labels),
        ready=_condition(status, "Ready") == "True",
        node=spec.get("nodeName"),
        gpus=int(sum(amount for key, amount in requests.items() if _requests_accelerator(key))),
        gpus_exact=not spec.get("resourceClaims"),
        memory=int(requests.get("requests.memory", requests.get("limits.memory", Decimal(0)))),
        requests={key: format_quantity(amount) for key, amount in requests.items()},
        grace=_DEFAULT_GRACE if own is None else min(own, MOST_SECONDS),
        deleting=metadata.get("deletionTimestamp") is not None or handover is Handover.LEAVING,
        deletion_grace=None if given is None else min(given, MOST_SECONDS),
        owner=_owner(metadata),
        trouble=_trouble(metadata, spec, status),
        finished=status.get("phase") in {"Succeeded", "Failed"},
        created=metadata.get("creationTimestamp"),
        ready_since=(_found(status, "Ready") or {}).get("lastTransitionTime"),
        digest=annotations.get(DIGEST_ANNOTATION),
        crashed=crashed(status, _sidecars(spec)),
        restarts=sum(container.get("restartCount") or 0 for container in status.get("containerStatuses") or []),
        handover=handover,
        left_at=_moment(annotations.get(LEFT_ANNOTATION)),
        ends_by=_moment(metadata.get("deletionTimestamp")),
        revision=labels.get(REVISION_LABEL),
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


def _component(labels: Json) -> str:
    """By KServe's label of the kind; the other one may be the owner's."""
    keys = _COMPONENT_LABELS[::-1] if labels.get(_PART_OF_LABEL) == _LLM else _COMPONENT_LABELS
    return next((labels[key] for key in keys if labels.get(key)), "predictor")


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


def _requests_accelerator(key: str) -> bool:
    """Limits are listed beside requests, for quotas; they must not count twice."""
    return key.startswith("requests.") and is_accelerator(key.removeprefix("requests."))


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


def _trouble(metadata: Json, spec: Json, status: Json) -> Trouble | None:
    if status.get("phase") == "Failed" or _condition(status, "DisruptionTarget") == "True":
        return _ended(status)
    scheduled = _found(status, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        if scheduled.get("reason") == "SchedulingGated":
            return gated(metadata, spec)
        return unschedulable(scheduled.get("reason"), scheduled.get("message"))
    if status.get("reason") == "NodeLost" or _is_cut_off(status):
        return Trouble("NodeNotReady", f"its node {spec.get('nodeName')} does not answer; Kubernetes says: not ready")
    return container_trouble(status, _sidecars(spec))


def _ended(status: Json) -> Trouble:
    """Kubernetes has ended the pod, or is about to: it was evicted, preempted, or its node would not take it."""
    disruption = _found(status, "DisruptionTarget") or {}
    reason = status.get("reason") or disruption.get("reason") or "PodFailed"
    message = status.get("message") or disruption.get("message") or "the pod has failed"
    return Trouble(reason, message, ended=True)


def _is_cut_off(status: Json) -> bool:
    """The kubelet takes a pod with ready containers for ready. Where its node is silent, Kubernetes says otherwise."""
    ready = _found(status, "Ready") or {}
    gates = ready.get("reason") == "ReadinessGatesNotReady"
    return ready.get("status") == "False" and _condition(status, "ContainersReady") == "True" and not gates


def _sidecars(spec: Json) -> frozenset[str]:
    """Init containers that go on beside the others."""
    return frozenset(one["name"] for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always")
