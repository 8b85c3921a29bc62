"""Which resources the simulated API serves, and the few traits that its generic code needs to know about each."""

from dataclasses import dataclass
from functools import cached_property

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One resource type. `versions[0]` is how objects are stored; the others differ in `apiVersion` only."""

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    status: bool = False
    scale: bool = False
    generation: bool = False
    returns_deleted: bool = False
    """DELETE answers with the object instead of a Status (as the real API does for a few core types)."""
    fields: tuple[str, ...] = ()
    """Field selectors beyond metadata.name and metadata.namespace."""

    @cached_property
    def key(self) -> str:
        """`pods`, `deployments.apps`: the name that messages and the store use."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def custom(self) -> bool:
        """Custom resources refuse strategic merge patches and unconditional PUTs."""
        return self.group.endswith((".kserve.io", ".knative.dev"))

    def api_version(self, version: str = "") -> str:
        """`v1`, `apps/v1`; by default the stored version."""
        chosen = version or self.versions[0]
        return f"{self.group}/{chosen}" if self.group else chosen

    def __hash__(self) -> int:
        return hash(self.key)


POD_FIELDS = ("status.phase", "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName")
EVENT_FIELDS = (
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.uid",
    "reason",
    "type",
)

PODS = Resource(
    "", ("v1",), "pods", "Pod", ("po",), status=True, generation=True, returns_deleted=True, fields=POD_FIELDS
)
NODES = Resource("", ("v1",), "nodes", "Node", ("no",), namespaced=False, status=True)
NAMESPACES = Resource(
    "", ("v1",), "namespaces", "Namespace", ("ns",), namespaced=False, status=True, fields=("status.phase",)
)
EVENTS = Resource("", ("v1",), "events", "Event", ("ev",), fields=EVENT_FIELDS)
QUOTAS = Resource("", ("v1",), "resourcequotas", "ResourceQuota", ("quota",), status=True, returns_deleted=True)
SERVICE_ACCOUNTS = Resource("", ("v1",), "serviceaccounts", "ServiceAccount", ("sa",), returns_deleted=True)
SERVICES = Resource("", ("v1",), "services", "Service", ("svc",), status=True, returns_deleted=True)
PVCS = Resource(
    "", ("v1",), "persistentvolumeclaims", "PersistentVolumeClaim", ("pvc",), status=True, returns_deleted=True
)
DEPLOYMENTS = Resource(
    "apps", ("v1",), "deployments", "Deployment", ("deploy",), status=True, scale=True, generation=True
)
REPLICASETS = Resource("apps", ("v1",), "replicasets", "ReplicaSet", ("rs",), status=True, scale=True, generation=True)
STATEFULSETS = Resource(
    "apps", ("v1",), "statefulsets", "StatefulSet", ("sts",), status=True, scale=True, generation=True
)

KSERVE = "serving.kserve.io"
KNATIVE = "serving.knative.dev"

ALL: tuple[Resource, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    EVENTS,
    QUOTAS,
    SERVICE_ACCOUNTS,
    SERVICES,
    PVCS,
    Resource("", ("v1",), "secrets", "Secret", fields=("type",)),
    Resource("", ("v1",), "configmaps", "ConfigMap", ("cm",)),
    DEPLOYMENTS,
    REPLICASETS,
    STATEFULSETS,
    Resource("autoscaling", ("v2",), "horizontalpodautoscalers", "HorizontalPodAutoscaler", ("hpa",), status=True),
    Resource("networking.k8s.io", ("v1",), "ingresses", "Ingress", ("ing",), status=True, generation=True),
    Resource(KSERVE, ("v1beta1",), "inferenceservices", "InferenceService", ("isvc",), status=True, generation=True),
    Resource(
        KSERVE,
        ("v1alpha2", "v1alpha1"),
        "llminferenceservices",
        "LLMInferenceService",
        ("llmisvc",),
        status=True,
        generation=True,
    ),
    Resource(KSERVE, ("v1alpha1",), "inferencegraphs", "InferenceGraph", ("ig",), status=True, generation=True),
    Resource(KSERVE, ("v1alpha1",), "servingruntimes", "ServingRuntime", generation=True),
    Resource(
        KSERVE, ("v1alpha1",), "clusterservingruntimes", "ClusterServingRuntime", namespaced=False, generation=True
    ),
    Resource(KNATIVE, ("v1",), "services", "Service", ("kservice", "ksvc"), status=True, generation=True),
    Resource(KNATIVE, ("v1",), "revisions", "Revision", ("rev",), status=True, generation=True),
    Resource(KNATIVE, ("v1",), "configurations", "Configuration", ("config", "cfg"), status=True, generation=True),
    Resource(KNATIVE, ("v1",), "routes", "Route", ("rt",), status=True, generation=True),
    Resource("gateway.networking.k8s.io", ("v1", "v1beta1"), "httproutes", "HTTPRoute", status=True, generation=True),
)

BY_PATH: dict[tuple[str, str, str], Resource] = {(r.group, v, r.plural): r for r in ALL for v in r.versions}
"""(group, version, plural) as in a URL."""

BY_KIND: dict[tuple[str, str], Resource] = {(r.group, r.kind): r for r in ALL}
"""(group, kind) as in an owner reference."""
