"""The LLMInferenceService controller, single node, with its scheduler (pkg/controller/v1alpha2/llmisvc)."""

import copy

from functions.local.kserve.annotations import LLM_ALLOWED_PREFIXES, annotations_of, is_stopped, labels_of
from functions.local.kserve.applied import Applied
from functions.local.kserve.cluster import Cluster
from functions.local.kserve.conditions import ConditionSet, find
from functions.local.kserve.podspec import with_storage
from functions.local.kserve.resources import DEPLOYMENT, LLM_INFERENCE_SERVICE, SERVICE, Json, owned_by
from functions.local.kserve.standard import ROLLOUT

DEPENDENTS = ("PresetsCombined", "WorkloadsReady", "RouterReady")
MAIN, SCHEDULER = "MainWorkloadReady", "SchedulerWorkloadReady"
PORT = 8000
_EPP_PORTS = [{"containerPort": 9002, "name": "grpc"}, {"containerPort": 9003, "name": "grpc-health"}]
_EPP = {
    "containers": [{"name": "main", "image": "epp", "ports": [*_EPP_PORTS, {"containerPort": 9090, "name": "metrics"}]}]
}
"""As KServe's own kserve-config-llm-scheduler: its container is called as the model server's is."""


class LLMInferenceServices:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._deployments = Applied(cluster, DEPLOYMENT, free=("replicas",))
        self._services = Applied(cluster, SERVICE, free=("clusterIP", "clusterIPs"))

    async def reconcile(self, namespace: str, name: str) -> float | None:
        llm = await self._cluster.get(LLM_INFERENCE_SERVICE, namespace, name)
        if llm is None or llm["metadata"].get("deletionTimestamp"):
            return None
        status = copy.deepcopy(llm.get("status") or {})
        conditions = ConditionSet(status, DEPENDENTS)
        conditions.initialize()
        conditions.mark("PresetsCombined", "True")
        if is_stopped(llm):
            await self._stop(llm, status, conditions)
        else:
            await self._run(llm, status, conditions)
        _roll_up(status, conditions)
        status["observedGeneration"] = llm["metadata"].get("generation", 1)
        if status != llm.get("status"):
            await self._cluster.replace(LLM_INFERENCE_SERVICE, {**llm, "status": status}, "status")
        return None

    async def _stop(self, llm: Json, status: Json, conditions: ConditionSet) -> None:
        """No Stopped condition: only the reason of Ready says it."""
        meta = llm["metadata"]
        await self._deployments.remove(meta["namespace"], f"{meta['name']}-kserve", meta["uid"])
        await self._services.remove(meta["namespace"], f"{meta['name']}-kserve-workload-svc", meta["uid"])
        await self._deployments.remove(meta["namespace"], scheduler_name(llm), meta["uid"])
        conditions.mark(MAIN, "False", "Stopped", "Service is stopped")
        conditions.mark(SCHEDULER, "False", "Stopped", "Service is stopped")
        conditions.clear("HTTPRoutesReady")
        for field in ("workloads", "url", "address", "addresses"):
            status.pop(field, None)

    async def _run(self, llm: Json, status: Json, conditions: ConditionSet) -> None:
        meta = llm["metadata"]
        wanted = deployment_of(llm)
        free = () if "replicas" in wanted["spec"] else ("replicas",)
        deployment, _ = await self._deployments.ensure(wanted, free)
        await self._services.ensure(_service(llm))
        _workload(MAIN, deployment.get("status", {}), conditions)
        await self._schedule(llm, conditions)
        host = f"{meta['name']}-kserve-workload-svc.{meta['namespace']}.svc.cluster.local"
        status["url"] = f"http://{host}:{PORT}"
        status["addresses"] = [{"url": status["url"]}]
        primary = {"apiGroup": "apps", "kind": "Deployment", "name": wanted["metadata"]["name"]}
        primary["readyReplicas"] = deployment.get("status", {}).get("availableReplicas", 0)
        status["workloads"] = {"primary": primary, "service": {"kind": "Service", "name": host.partition(".")[0]}}

    async def _schedule(self, llm: Json, conditions: ConditionSet) -> None:
        """A scheduler of its own, unless the model uses an existing pool."""
        meta = llm["metadata"]
        if scheduler := scheduler_of(llm):
            deployment, _ = await self._deployments.ensure(scheduler)
            _workload(SCHEDULER, deployment.get("status", {}), conditions)
        else:
            await self._deployments.remove(meta["namespace"], scheduler_name(llm), meta["uid"])
            conditions.clear(SCHEDULER)


def scheduler_name(llm: Json) -> str:
    return f"{llm['metadata']['name']}-kserve-router-scheduler"


def scheduler_of(llm: Json) -> Json | None:
    wanted = (llm["spec"].get("router") or {}).get("scheduler")
    if wanted is None or (wanted.get("pool") or {}).get("ref"):
        return None
    labels = {
        "app.kubernetes.io/component": "llminferenceservice-router-scheduler",
        "app.kubernetes.io/name": llm["metadata"]["name"],
        "app.kubernetes.io/part-of": "llminferenceservice",
    }
    own = {"name": scheduler_name(llm), "namespace": llm["metadata"]["namespace"], "labels": labels}
    template = {"metadata": {"labels": labels}, "spec": copy.deepcopy(wanted.get("template") or _EPP)}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, "strategy": ROLLOUT}
    return {"metadata": owned_by(llm, LLM_INFERENCE_SERVICE, own), "spec": spec}


def labels_for(llm: Json) -> dict[str, str]:
    return {
        "app.kubernetes.io/component": "llminferenceservice-workload",
        "app.kubernetes.io/name": llm["metadata"]["name"],
        "app.kubernetes.io/part-of": "llminferenceservice",
        "kserve.io/component": "workload",
        "llm-d.ai/role": "both",
    }


def deployment_of(llm: Json) -> Json:
    """Only allow-listed annotations and labels of the model, and those of its spec, reach the pods."""
    meta, spec, labels = llm["metadata"], llm["spec"], labels_for(llm)
    annotations = {key: value for key, value in annotations_of(llm).items() if key.startswith(LLM_ALLOWED_PREFIXES)}
    passed = {key: value for key, value in labels_of(llm).items() if key.startswith("kueue.x-k8s.io")}
    template = {
        "labels": {**labels, **passed, **(spec.get("labels") or {})},
        "annotations": {**annotations, **(spec.get("annotations") or {})},
    }
    own = {"name": f"{meta['name']}-kserve", "namespace": meta["namespace"], "labels": {**labels, **passed}}
    wanted = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {key: value for key, value in template.items() if value}, "spec": _pod(llm)},
        "strategy": ROLLOUT,
    }
    if spec.get("replicas") is not None:
        wanted["replicas"] = spec["replicas"]
    return {"metadata": owned_by(llm, LLM_INFERENCE_SERVICE, own), "spec": wanted}


def _pod(llm: Json) -> Json:
    """The template as written, whose server is called `main`; a pvc:// model is mounted into it."""
    pod = copy.deepcopy(llm["spec"].get("template") or {"containers": [{"name": "main", "image": "vllm"}]})
    for container in pod["containers"]:
        container.setdefault("imagePullPolicy", "IfNotPresent")
    return with_storage(pod, llm["spec"].get("model", {}).get("uri"))


def _service(llm: Json) -> Json:
    meta, labels = llm["metadata"], labels_for(llm)
    keys = ("app.kubernetes.io/name", "app.kubernetes.io/part-of", "kserve.io/component")
    own = {"name": f"{meta['name']}-kserve-workload-svc", "namespace": meta["namespace"], "labels": labels}
    port = {"name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP", "appProtocol": "http"}
    spec = {"selector": {key: labels[key] for key in keys}, "ports": [port], "type": "ClusterIP"}
    return {"metadata": owned_by(llm, LLM_INFERENCE_SERVICE, own), "spec": spec}


def _workload(kind: str, seen: Json, conditions: ConditionSet) -> None:
    """propagateWorkloadDeploymentStatus: Available decides, Progressing=False is told."""
    available, progressing = find(seen, "Available"), find(seen, "Progressing")
    if available and available["status"] == "True":
        conditions.mark(kind, "True")
    elif found := available or (progressing if progressing and progressing["status"] == "False" else None):
        conditions.mark(kind, "False", found.get("reason", ""), found.get("message", ""))
    else:
        conditions.mark(kind, "False", "Progressing")


def _roll_up(status: Json, conditions: ConditionSet) -> None:
    for part, whole in ((MAIN, "WorkloadsReady"), (SCHEDULER, "RouterReady")):
        found = find(status, part)
        if found and found["status"] == "False":
            conditions.mark(whole, "False", found.get("reason", ""), found.get("message", ""))
        else:
            conditions.mark(whole, "True")
