"""Where each kind that the controllers read or write lives in the Kubernetes API."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """One kind: `base` is /api/v1 or /apis/GROUP/VERSION."""

    base: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return self.base.removeprefix("/apis/").removeprefix("/api/")

    def collection(self, namespace: str | None = None) -> str:
        """The path of all objects, or of one namespace's."""
        if namespace and self.namespaced:
            return f"{self.base}/namespaces/{namespace}/{self.plural}"
        return f"{self.base}/{self.plural}"

    def path(self, namespace: str, name: str) -> str:
        return f"{self.collection(namespace)}/{name}"


_SERVING = "/apis/serving.kserve.io"
_KNATIVE = "/apis/serving.knative.dev/v1"

INFERENCE_SERVICE = Resource(f"{_SERVING}/v1beta1", "inferenceservices", "InferenceService")
LLM_INFERENCE_SERVICE = Resource(f"{_SERVING}/v1alpha2", "llminferenceservices", "LLMInferenceService")
INFERENCE_GRAPH = Resource(f"{_SERVING}/v1alpha1", "inferencegraphs", "InferenceGraph")
SERVING_RUNTIME = Resource(f"{_SERVING}/v1alpha1", "servingruntimes", "ServingRuntime")
CLUSTER_SERVING_RUNTIME = Resource(
    f"{_SERVING}/v1alpha1", "clusterservingruntimes", "ClusterServingRuntime", namespaced=False
)
KNATIVE_SERVICE = Resource(_KNATIVE, "services", "Service")
REVISION = Resource(_KNATIVE, "revisions", "Revision")
DEPLOYMENT = Resource("/apis/apps/v1", "deployments", "Deployment")
AUTOSCALER = Resource("/apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
SERVICE = Resource("/api/v1", "services", "Service")
POD = Resource("/api/v1", "pods", "Pod")


def owned_by(owner: Json, resource: Resource, meta: Json) -> Json:
    """The metadata with a controller reference to `owner`, whose end then takes the object along."""
    reference = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**meta, "ownerReferences": [reference]}


def controller_of(obj: Json) -> Json | None:
    """The owner reference of the controller, if there is one."""
    references = obj["metadata"].get("ownerReferences", [])
    return next((reference for reference in references if reference.get("controller")), None)
