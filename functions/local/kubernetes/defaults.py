"""What the API server fills in where a request says nothing. Only fields that are read here; called on every write."""

from typing import Any

from functions.local.kubernetes import clock
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.store import Obj

ZERO = "00000000"


def apply(resource: Resource, obj: Obj) -> None:
    """Complete `obj` in place."""
    fill = DEFAULTS.get(resource.key)
    if fill:
        fill(obj)


def initial_status(resource: Resource, obj: Obj) -> Obj | None:
    """The status that a new object has, whatever the request said."""
    if resource.key == "pods":
        return {"phase": "Pending", "qosClass": _qos(obj["spec"])}
    if resource.key == "namespaces":
        return {"phase": "Active"}
    if resource.key == "persistentvolumeclaims":
        # there are no volumes here, so a claim that stayed Pending would look like an error
        return {"phase": "Bound", "capacity": (obj["spec"].get("resources") or {}).get("requests") or {}}
    if resource.key == "services":
        return {"loadBalancer": {}}
    if resource.group == "apps":
        return {"replicas": 0} if resource.key == "replicasets.apps" else {}
    return None


def _pod_spec(spec: Obj) -> None:
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.setdefault("resources", {})
        limits = resources.get("limits") or {}
        if limits:
            resources["limits"] = {name: str(value) for name, value in limits.items()}
        if resources.get("requests"):
            resources["requests"] = {name: str(value) for name, value in resources["requests"].items()}
        container.setdefault("imagePullPolicy", _pull_policy(container.get("image", "")))
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
    for name, value in {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
    }.items():
        spec.setdefault(name, value)


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent"


def _pod(obj: Obj) -> None:
    spec = obj.setdefault("spec", {})
    _pod_spec(spec)
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container["resources"]
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("priority", 0)


def _template(obj: Obj) -> Obj:
    spec: Obj = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    template = spec.setdefault("template", {})
    _pod_spec(template.setdefault("spec", {}))
    return spec


def _deployment(obj: Obj) -> None:
    spec = _template(obj)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")


def _replica_set(obj: Obj) -> None:
    _template(obj)


def _stateful_set(obj: Obj) -> None:
    spec = _template(obj)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})


def _namespace(obj: Obj) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels.setdefault("kubernetes.io/metadata.name", obj["metadata"]["name"])
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])


def _service(obj: Obj) -> None:
    spec = obj.setdefault("spec", {})
    if spec.setdefault("type", "ClusterIP") != "ExternalName":
        number = int((obj["metadata"].get("uid") or ZERO)[:4], 16)
        spec.setdefault("clusterIP", f"10.96.{number // 256}.{number % 256}")
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
    spec.setdefault("sessionAffinity", "None")


def _secret(obj: Obj) -> None:
    obj.setdefault("type", "Opaque")


def _claim(obj: Obj) -> None:
    obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _event(obj: Obj) -> None:
    obj.setdefault("firstTimestamp", clock.now())
    obj.setdefault("lastTimestamp", obj["firstTimestamp"])


def _qos(spec: Obj) -> str:
    resources: list[dict[str, Any]] = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(item.get("requests") or item.get("limits") for item in resources):
        return "BestEffort"
    full = all({"cpu", "memory"} <= (item.get("limits") or {}).keys() for item in resources)
    return "Guaranteed" if full and all(item["requests"] == item["limits"] for item in resources) else "Burstable"


DEFAULTS = {
    "pods": _pod,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "statefulsets.apps": _stateful_set,
    "namespaces": _namespace,
    "services": _service,
    "secrets": _secret,
    "persistentvolumeclaims": _claim,
    "events": _event,
}
