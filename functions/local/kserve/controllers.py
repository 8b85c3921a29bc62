"""Which change makes which controller look, as KServe and Knative wire it: pods alone wake none of them."""

import asyncio
from collections.abc import Iterable

from functions.local.kserve.annotations import labels_of
from functions.local.kserve.cluster import Cluster
from functions.local.kserve.inferencegraph import InferenceGraphs
from functions.local.kserve.inferenceservice import InferenceServices
from functions.local.kserve.knative import KnativeServices
from functions.local.kserve.llminferenceservice import LLMInferenceServices
from functions.local.kserve.mirror import Listener, Mirror
from functions.local.kserve.resources import (
    CLUSTER_SERVING_RUNTIME,
    DEPLOYMENT,
    INFERENCE_GRAPH,
    INFERENCE_SERVICE,
    KNATIVE_SERVICE,
    LLM_INFERENCE_SERVICE,
    SERVICE,
    SERVING_RUNTIME,
    Json,
    controller_of,
)
from functions.local.kserve.worker import Worker

KNATIVE_LABEL = "serving.knative.dev/service"


class Controllers:
    """All of them on one cluster, or only for some namespaces of it."""

    def __init__(self, cluster: Cluster, namespaces: Iterable[str] = ()) -> None:
        self._cluster = cluster
        self._namespaces = frozenset(namespaces)
        self._models: dict[str, set[tuple[str, str]]] = {}
        self._workers = {
            "InferenceService": Worker("InferenceService", InferenceServices(cluster).reconcile),
            "LLMInferenceService": Worker("LLMInferenceService", LLMInferenceServices(cluster).reconcile),
            "InferenceGraph": Worker("InferenceGraph", InferenceGraphs(cluster).reconcile),
            "Service": Worker("KnativeService", KnativeServices(cluster).reconcile),
        }
        self._mirrors = [
            self._mirror_of("InferenceService"),
            self._mirror_of("LLMInferenceService"),
            self._mirror_of("InferenceGraph"),
            self._mirror_of("Service"),
            Mirror(cluster, DEPLOYMENT, self._deployment_changed),
            Mirror(cluster, SERVICE, self._child_changed),
            Mirror(cluster, SERVING_RUNTIME, self._runtime_changed, fingerprint=_spec),
            Mirror(cluster, CLUSTER_SERVING_RUNTIME, self._runtime_changed, fingerprint=_spec),
        ]

    async def run(self, watching: asyncio.Event | None = None) -> None:
        """Until cancelled; `watching` is set when every resource has been listed once."""
        async with asyncio.TaskGroup() as group:
            for mirror in self._mirrors:
                group.create_task(mirror.run())
            for worker in self._workers.values():
                group.create_task(worker.run())
            for mirror in self._mirrors:
                await mirror.listed.wait()
            if watching:
                watching.set()

    def _mirror_of(self, kind: str) -> Mirror:
        return Mirror(self._cluster, _FOLLOWED[kind], self._owner_changed(kind))

    def _owner_changed(self, kind: str) -> Listener:
        def told(obj: Json) -> None:
            self._add(kind, obj["metadata"]["namespace"], obj["metadata"]["name"])
            if kind == "Service":
                self._child_changed(obj)
            if kind == "InferenceService":
                self._note_runtime(obj)

        return told

    def _deployment_changed(self, deployment: Json) -> None:
        self._child_changed(deployment)
        service = labels_of(deployment).get(KNATIVE_LABEL)
        if service:
            self._add("Service", deployment["metadata"]["namespace"], service)

    def _child_changed(self, child: Json) -> None:
        owner = controller_of(child)
        if owner and owner["apiVersion"].startswith("serving.kserve.io/") and owner["kind"] in self._workers:
            self._add(owner["kind"], child["metadata"]["namespace"], owner["name"])

    def _note_runtime(self, isvc: Json) -> None:
        status = isvc.get("status") or {}
        runtime = status.get("servingRuntimeName") or status.get("clusterServingRuntimeName")
        if runtime:
            key = (isvc["metadata"]["namespace"], isvc["metadata"]["name"])
            self._models.setdefault(runtime, set()).add(key)

    def _runtime_changed(self, runtime: Json) -> None:
        """Only models that are known to use it look again."""
        namespace = runtime["metadata"].get("namespace")
        for key in self._models.get(runtime["metadata"]["name"], set()):
            if namespace in {None, key[0]}:
                self._add("InferenceService", *key)

    def _add(self, kind: str, namespace: str, name: str) -> None:
        if not self._namespaces or namespace in self._namespaces:
            self._workers[kind].add((namespace, name))


_FOLLOWED = {
    "InferenceService": INFERENCE_SERVICE,
    "LLMInferenceService": LLM_INFERENCE_SERVICE,
    "InferenceGraph": INFERENCE_GRAPH,
    "Service": KNATIVE_SERVICE,
}


def _spec(obj: Json) -> str:
    return repr(obj.get("spec"))
