"""The InferenceService controller (pkg/controller/v1beta1/inferenceservice/controller.go)."""

import copy
from dataclasses import replace

from functions.local.kserve import canaries, model_status, raw_status, serverless
from functions.local.kserve.annotations import DEPLOYMENT_MODE, DISABLE_AUTO_UPDATE, annotations_of, is_stopped
from functions.local.kserve.cluster import ApiError, Cluster
from functions.local.kserve.components import Component, component_of
from functions.local.kserve.conditions import ConditionSet, find, is_true
from functions.local.kserve.resources import INFERENCE_SERVICE, POD, Json
from functions.local.kserve.runtimes import Runtime, RuntimeUnusableError, runtime_of
from functions.local.kserve.standard import Standard, app_label
from functions.local.kserve.worker import ReconcileError

DEPENDENTS = ("PredictorReady", "IngressReady")
STOPPED = "Stopped"
STANDARD, KNATIVE, MODEL_MESH = "Standard", "Knative", "ModelMesh"
LEGACY_MODES = {"RawDeployment": STANDARD, "Serverless": KNATIVE, "ModelMeshDeployment": MODEL_MESH}


def mode_of(isvc: Json) -> str:
    """The status' mode first, then the annotation's, then Standard; KServe's older names are understood."""
    recorded = isvc.get("status", {}).get("deploymentMode")
    asked = recorded or annotations_of(isvc).get(DEPLOYMENT_MODE, "")
    mode = LEGACY_MODES.get(asked, asked)
    return mode if mode in {STANDARD, KNATIVE, MODEL_MESH} else STANDARD


class InferenceServices:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._standard = Standard(cluster)
        self._serverless = serverless.Serverless(cluster)

    async def reconcile(self, namespace: str, name: str) -> float | None:
        isvc = await self._cluster.get(INFERENCE_SERVICE, namespace, name)
        if isvc is None or isvc["metadata"].get("deletionTimestamp"):
            return None
        status = copy.deepcopy(isvc.get("status") or {})
        mode = mode_of(isvc)
        ignored = annotations_of(isvc).get(DISABLE_AUTO_UPDATE) == "true" and is_true(status, "Ready")
        if ignored and mode != MODEL_MESH:
            return None
        conditions = ConditionSet(status, DEPENDENTS)
        if find(status, "Ready") is None:
            conditions.initialize()
        try:
            if mode != MODEL_MESH:
                await self._serve(isvc, mode, status, conditions)
        finally:
            await self._write(isvc, status, mode)
        return None

    async def _serve(self, isvc: Json, mode: str, status: Json, conditions: ConditionSet) -> None:
        kinds = ["predictor", *(kind for kind in ("transformer", "explainer") if isvc["spec"].get(kind))]
        for kind in kinds:
            runtime = await self._runtime(isvc, status) if kind == "predictor" else None
            if kind == "predictor" and mode == STANDARD:
                await self._canaries(isvc, status, conditions)
                isvc = canaries.without_ready_canaries(isvc, status)
            component = component_of(isvc, kind, runtime)
            if kind == "predictor" and mode == STANDARD:
                component = replace(component, name=canaries.predictor_name(isvc))
            try:
                await self._component(isvc, mode, component, status, conditions)
            except ApiError as error:
                status.setdefault("components", {}).setdefault(kind, {})
                conditions.mark(component.condition, "False", "ReconcileFailed", f"fails to reconcile {kind}: {error}")
                raise
        stopped = is_stopped(isvc)
        if find(status, STOPPED) is None:
            conditions.mark(STOPPED, "False")
        if is_true(status, STOPPED) != stopped:
            conditions.mark(STOPPED, "True" if stopped else "False")
        if mode == KNATIVE and not stopped:
            serverless.across_components(status, conditions, kinds)
        _ingress(isvc, status, conditions, mode)

    async def _canaries(self, isvc: Json, status: Json, conditions: ConditionSet) -> None:
        """Before the stable predictor, which gives way only to canaries that are ready."""
        found: list[Json | None] = []
        had_any = bool(status.get("canaryStatuses"))
        for canary in canaries.canaries_of(isvc):
            component = component_of(canary, "predictor", await self._runtime(canary, status))
            named = replace(component, name=canaries.predictor_name(canary))
            deployment, _ = await self._standard.reconcile(isvc, INFERENCE_SERVICE, named, fixed=True)
            found.append(deployment)
        canaries.write_status(isvc, status, conditions, found)
        if isvc["spec"].get("canary") or had_any:
            await canaries.remove_others(self._cluster, isvc)

    async def _runtime(self, isvc: Json, status: Json) -> Runtime | None:
        """Found before anything is deleted: without it, a stop does nothing."""
        predictor = isvc["spec"]["predictor"]
        if "model" not in predictor:
            return None
        try:
            runtime = await runtime_of(self._cluster, isvc["metadata"]["namespace"], predictor)
        except RuntimeUnusableError as error:
            model_status.invalid_spec(status, error.reason, error.told)
            raise
        if not runtime.spec.get("containers"):
            told = "no container configuration found in selected serving runtime"
            model_status.invalid_spec(status, "InvalidPredictorSpec", told)
            raise ReconcileError(told)
        named, other = "servingRuntimeName", "clusterServingRuntimeName"
        if runtime.cluster_wide:
            named, other = other, named
        status[named] = runtime.name
        status.pop(other, None)
        return runtime

    async def _component(
        self, isvc: Json, mode: str, component: Component, status: Json, conditions: ConditionSet
    ) -> None:
        stopped, seen = is_stopped(isvc), None
        if mode == KNATIVE:
            entry = status.get("components", {}).get(component.kind, {})
            seen = await self._serverless.reconcile(isvc, component, entry)
            if seen is not None:
                serverless.propagate(status, conditions, component, seen)
        else:
            deployment, created = await self._standard.reconcile(isvc, INFERENCE_SERVICE, component)
            if deployment and not created:
                raw_status.propagate(status, conditions, component, deployment)
        if stopped:
            _forget(status, conditions, component)
        elif component.kind == "predictor":
            pods = await self._pods(component, status, mode)
            model_status.propagate(status, pods, status.get("components", {}).get("predictor", {}), seen)

    async def _pods(self, component: Component, status: Json, mode: str) -> list[Json]:
        """The newest first, terminating ones included."""
        revision = status.get("components", {}).get("predictor", {}).get("latestCreatedRevision", "")
        label = f"serving.knative.dev/revision={revision}" if mode == KNATIVE else f"app={app_label(component.name)}"
        found = await self._cluster.list(POD, component.namespace, label)
        return sorted(found["items"], key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)

    async def _write(self, isvc: Json, status: Json, mode: str) -> None:
        status["deploymentMode"] = mode
        if status != isvc.get("status"):
            await self._cluster.replace(INFERENCE_SERVICE, {**isvc, "status": status}, "status")


def _forget(status: Json, conditions: ConditionSet, component: Component) -> None:
    """The predictor's stop wipes the whole status, previous revision and URL included, while pods may still be there."""
    condition = find(status, component.condition)
    if condition and condition["status"] == "False" and condition.get("reason") == STOPPED:
        return
    if component.kind == "predictor":
        kept = status.get("deploymentMode")
        status.clear()
        if kept:
            status["deploymentMode"] = kept
    conditions.mark(component.condition, "False", STOPPED)


def _ingress(isvc: Json, status: Json, conditions: ConditionSet, mode: str) -> None:
    """No Ingress object is made. In Standard mode IngressReady says of a component that is not ready that its ingress is not
    created, although one that was made before stays: so says KServe where it makes ingresses, as it is shipped. In Knative mode
    it says Stopped after a start, until there is something to route to.
    """
    if is_stopped(isvc):
        conditions.mark("IngressReady", "False", STOPPED)
        return
    name, namespace = isvc["metadata"]["name"], isvc["metadata"]["namespace"]
    entry = "transformer" if isvc["spec"].get("transformer") else "predictor"
    beside = next((kind for kind in ("transformer", "explainer") if isvc["spec"].get(kind)), "predictor")
    for component in ("predictor", beside) if mode == STANDARD else ():
        if not is_true(status, f"{component.capitalize()}Ready"):
            conditions.mark("IngressReady", "False", f"{component.capitalize()} ingress not created")
            return
    if not status.get("components", {}).get(entry, {}).get("url"):
        return
    between = "." if mode == KNATIVE else "-"
    status["url"] = f"http://{name}{between}{namespace}.example.com"
    host = name if mode == KNATIVE else f"{name}-{entry}"
    status["address"] = {"url": f"http://{host}.{namespace}.svc.cluster.local"}
    conditions.mark("IngressReady", "True")
