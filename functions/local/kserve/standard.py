"""Standard mode: a Deployment, a Service and, unless an autoscaler of one's own is named, an HPA per component."""

from typing import Any

from functions.local.kserve.annotations import AUTOSCALER_CLASS, is_stopped
from functions.local.kserve.applied import Applied
from functions.local.kserve.cluster import Cluster
from functions.local.kserve.components import Component
from functions.local.kserve.podspec import server_port, with_defaults
from functions.local.kserve.resources import AUTOSCALER, DEPLOYMENT, SERVICE, Json, Resource, owned_by

ROLLOUT = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}


class Standard:
    def __init__(self, cluster: Cluster) -> None:
        self._deployments = Applied(cluster, DEPLOYMENT, free=("replicas",))
        self._services = Applied(cluster, SERVICE, free=_SERVER_GIVEN)
        self._autoscalers = Applied(cluster, AUTOSCALER)

    async def reconcile(
        self, owner: Json, resource: Resource, component: Component, *, fixed: bool = False
    ) -> tuple[Json | None, bool]:
        """The Deployment and whether it was just created; None where the owner is stopped. `fixed`: no autoscaler."""
        namespace, name, uid = component.namespace, component.name, owner["metadata"]["uid"]
        if is_stopped(owner):
            for applied in (self._deployments, self._services, self._autoscalers):
                await applied.remove(namespace, name, uid)
            return None, False
        meta = _meta(owner, resource, component)
        scaler = "none" if fixed else component.annotations.get(AUTOSCALER_CLASS, "hpa")
        free = () if scaler == "none" else ("replicas",)
        deployment, created = await self._deployments.ensure(_deployment(meta, component, scaler), free)
        await self._services.ensure(_service(meta, component))
        if scaler == "hpa":
            await self._autoscalers.ensure(_autoscaler(meta, component))
        else:
            await self._autoscalers.remove(namespace, name, uid)
        return deployment, created


_SERVER_GIVEN = (
    "clusterIP",
    "clusterIPs",
    "internalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "sessionAffinity",
    "type",
)


def app_label(name: str) -> str:
    """The value of a Standard mode pod's `app` label."""
    return f"isvc.{name}"


def _meta(owner: Json, resource: Resource, component: Component) -> Json:
    meta = {
        "name": component.name,
        "namespace": component.namespace,
        "labels": {**component.labels, "app": app_label(component.name)},
        "annotations": dict(component.annotations),
    }
    return owned_by(owner, resource, meta)


def _deployment(meta: Json, component: Component, scaler: str) -> Json:
    template = {key: meta[key] for key in ("labels", "annotations") if meta[key]}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": app_label(component.name)}},
        "template": {"metadata": template, "spec": with_defaults(component.pod)},
        "strategy": component.spec.get("deploymentStrategy", ROLLOUT),
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    if scaler == "none" and component.spec.get("minReplicas") is not None:
        spec["replicas"] = component.spec["minReplicas"]
    return {"metadata": meta, "spec": spec}


def _service(meta: Json, component: Component) -> Json:
    port = {"name": component.name[:63], "port": 80, "targetPort": server_port(component.pod), "protocol": "TCP"}
    spec = {"selector": {"app": app_label(component.name)}, "ports": [port]}
    return {"metadata": meta, "spec": spec}


def _autoscaler(meta: Json, component: Component) -> Json:
    least = max(component.spec.get("minReplicas") or 1, 1)
    target = {"type": "Utilization", "averageUtilization": component.spec.get("scaleTarget", 80)}
    metric = {"name": component.spec.get("scaleMetric", "cpu"), "target": target}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": component.name},
        "minReplicas": least,
        "maxReplicas": max(component.spec.get("maxReplicas") or 0, least),
        "metrics": [{"type": "Resource", "resource": metric}],
    }
    return {"metadata": meta, "spec": spec}
