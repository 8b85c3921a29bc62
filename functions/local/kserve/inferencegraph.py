"""The InferenceGraph controller, Standard mode (pkg/controller/v1alpha1/inferencegraph): only the router is its own."""

import copy
import json
import os

from functions.local.kserve.annotations import annotations_of, is_stopped, labels_of
from functions.local.kserve.cluster import Cluster
from functions.local.kserve.components import Component
from functions.local.kserve.conditions import find, is_true, now
from functions.local.kserve.resources import INFERENCE_GRAPH, INFERENCE_SERVICE, Json
from functions.local.kserve.standard import Standard
from functions.local.kserve.worker import ReconcileError

ROUTER_IMAGE = "kserve/router:v0.17.0"


class InferenceGraphs:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._standard = Standard(cluster)

    async def reconcile(self, namespace: str, name: str) -> float | None:
        graph = await self._cluster.get(INFERENCE_GRAPH, namespace, name)
        if graph is None or graph["metadata"].get("deletionTimestamp"):
            return None
        stopped = is_stopped(graph)
        spec = graph["spec"] if stopped else await self._resolved(graph)
        component = _router(graph, spec)
        deployment, _ = await self._standard.reconcile(graph, INFERENCE_GRAPH, component)
        status = copy.deepcopy(graph.get("status") or {})
        status["deploymentMode"] = "Standard"
        available = find((deployment or {}).get("status", {}), "Available")
        if not stopped and available is None:
            raise ReconcileError(f"Failed to find inference graph deployment {name}")
        if not stopped and deployment:
            _propagate(status, deployment, component.url)
        _mark_stopped(status, stopped=stopped)
        if not _same(status, graph.get("status") or {}):
            await self._cluster.replace(INFERENCE_GRAPH, {**graph, "status": status}, "status")
        return None

    async def _resolved(self, graph: Json) -> Json:
        """Each step's address; the router waits for members that are not there or not ready."""
        spec: Json = copy.deepcopy(graph["spec"])
        namespace = graph["metadata"]["namespace"]
        for node in spec["nodes"].values():
            for step in node.get("steps", []):
                member = step.get("serviceName")
                if not member or step.get("serviceUrl"):
                    continue
                isvc = await self._cluster.get(INFERENCE_SERVICE, namespace, member)
                if isvc is None:
                    raise ReconcileError(f"Failed to find graph service {member}")
                if not is_true(isvc.get("status") or {}, "PredictorReady"):
                    raise ReconcileError(f"service {member} is not ready")
                step["serviceUrl"] = f"http://{member}-predictor.{namespace}.svc.cluster.local"
        return spec


def _router(graph: Json, spec: Json) -> Component:
    """Resources, and a member's address that has changed, change the router's pods; member models are others'."""
    meta = graph["metadata"]
    container = {
        "name": meta["name"],
        "image": os.environ.get("KSERVE_ROUTER_IMAGE", ROUTER_IMAGE),
        "imagePullPolicy": "IfNotPresent",
        "args": ["--graph-json", json.dumps(spec, sort_keys=True)],
        "resources": spec.get("resources")
        or {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080, "scheme": "HTTP"}},
    }
    pod = {"containers": [container], "automountServiceAccountToken": False}
    return Component(
        kind="predictor",
        name=meta["name"],
        namespace=meta["namespace"],
        labels={**labels_of(graph), "serving.kserve.io/inferencegraph": meta["name"]},
        annotations=annotations_of(graph),
        spec=spec,
        pod=pod,
    )


def _propagate(status: Json, deployment: Json, url: str) -> None:
    """Ready as soon as the Deployment has an Available condition, whatever it says (PropagateRawStatus in raw_ig.go)."""
    status["url"] = url
    status["conditions"] = [{"type": "Ready", "status": "True"}]
    status["observedGeneration"] = deployment.get("status", {}).get("observedGeneration", 1)


def _mark_stopped(status: Json, *, stopped: bool) -> None:
    """No condition set here: a stop writes Stopped and Ready/Stopped, a start appends to what is there."""
    existing = find(status, "Stopped")
    if stopped and (existing is None or existing["status"] == "False"):
        ready = {"type": "Ready", "status": "False", "reason": "Stopped", "lastTransitionTime": now()}
        status["conditions"] = [{"type": "Stopped", "status": "True", "lastTransitionTime": now()}, ready]
        status.pop("url", None)
    elif not stopped and existing is None:
        added = {"type": "Stopped", "status": "False", "lastTransitionTime": now()}
        status["conditions"] = [*status.get("conditions", []), added]


def _same(one: Json, other: Json) -> bool:
    """Equal but for the times, which would otherwise be written again on every look."""
    return _timeless(one) == _timeless(other)


def _timeless(status: Json) -> Json:
    told = [{k: v for k, v in c.items() if k != "lastTransitionTime"} for c in status.get("conditions", [])]
    return {**status, "conditions": sorted(told, key=lambda c: str(c["type"]))}
