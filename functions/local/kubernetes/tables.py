"""Tables for `kubectl get`: the API server decides the columns."""

from collections.abc import Callable, Iterable
from typing import Any

from functions.local.kubernetes import clock
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.store import Obj

Cell = Callable[[Obj], Any]


def table(resource: Resource, objects: Iterable[Obj], meta: Obj) -> Obj:
    """A meta.k8s.io/v1 Table."""
    columns: dict[str, Cell] = {"Name": lambda obj: obj["metadata"]["name"]}
    columns |= COLUMNS.get(resource.key, {})
    columns["Age"] = lambda obj: _age(obj["metadata"]["creationTimestamp"])
    definitions = [
        {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": "", "priority": 0}
        for name in columns
    ]
    rows = [{"cells": [cell(obj) for cell in columns.values()], "object": _partial(obj)} for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _partial(obj: Obj) -> Obj:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _age(created: str) -> str:
    seconds = int(clock.age(created))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def _status(*path: str, default: Any = "") -> Cell:
    def cell(obj: Obj) -> Any:
        value: Any = obj.get("status")
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return default if value is None else value

    return cell


def _condition(kind: str, member: str = "status") -> Cell:
    def cell(obj: Obj) -> str:
        conditions = (obj.get("status") or {}).get("conditions") or ()
        return next((item.get(member, "") for item in conditions if item.get("type") == kind), "")

    return cell


def _containers(obj: Obj) -> list[Obj]:
    return (obj.get("status") or {}).get("containerStatuses") or []


def _pod_ready(obj: Obj) -> str:
    return f"{sum(item['ready'] for item in _containers(obj))}/{len(obj['spec'].get('containers') or ())}"


def _pod_status(obj: Obj) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    waiting = [item["state"]["waiting"]["reason"] for item in _containers(obj) if "waiting" in item.get("state", {})]
    return str(waiting[0] if waiting else (obj.get("status") or {}).get("phase", "Unknown"))


def _ready_of(obj: Obj) -> str:
    return f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"


SERVING: dict[str, Cell] = {"URL": _status("url"), "Ready": _condition("Ready")}
WITH_REASON: dict[str, Cell] = SERVING | {"Reason": _condition("Ready", "reason")}
COLUMNS: dict[str, dict[str, Cell]] = {
    "pods": {
        "Ready": _pod_ready,
        "Status": _pod_status,
        "Restarts": lambda obj: sum(item.get("restartCount", 0) for item in _containers(obj)),
    },
    "namespaces": {"Status": _status("phase")},
    "nodes": {"Status": lambda obj: "Ready" if _condition("Ready")(obj) == "True" else "NotReady"},
    "events": {
        "Type": lambda obj: obj.get("type", ""),
        "Reason": lambda obj: obj.get("reason", ""),
        "Object": lambda obj: f"{obj['involvedObject'].get('kind', '')}/{obj['involvedObject'].get('name', '')}",
        "Message": lambda obj: obj.get("message", ""),
    },
    "deployments.apps": {
        "Ready": _ready_of,
        "Up-to-date": _status("updatedReplicas", default=0),
        "Available": _status("availableReplicas", default=0),
    },
    "replicasets.apps": {
        "Desired": lambda obj: obj["spec"].get("replicas", 1),
        "Current": _status("replicas", default=0),
        "Ready": _status("readyReplicas", default=0),
    },
    "statefulsets.apps": {"Ready": _ready_of},
    "services": {
        "Type": lambda obj: obj["spec"].get("type", ""),
        "Cluster-IP": lambda obj: obj["spec"].get("clusterIP", ""),
    },
    "inferenceservices.serving.kserve.io": SERVING,
    "inferencegraphs.serving.kserve.io": SERVING,
    "llminferenceservices.serving.kserve.io": WITH_REASON,
    "services.serving.knative.dev": WITH_REASON,
    "routes.serving.knative.dev": WITH_REASON,
}
