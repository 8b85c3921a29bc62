"""Where KServe's resources are in the API, and which pods belong to them (labels: KServe's pkg/constants)."""

import re
import time
from collections.abc import Callable, Iterable, Mapping

from pydantic import ValidationError

from events.model import Kind, ModelRef
from functions.adapters.cluster import Cluster, Json, Missing
from functions.adapters.segments import quoted
from functions.lifecycle.errors import ClusterUnavailable

GROUP = "/apis/serving.kserve.io"
LLM_VERSION_THAT_STOPS = "v1alpha2"
_VERSIONS = {Kind.INFERENCE_SERVICE: "v1beta1", Kind.INFERENCE_GRAPH: "v1alpha1"}
_LABELS = {
    Kind.INFERENCE_SERVICE: "serving.kserve.io/inferenceservice",
    Kind.INFERENCE_GRAPH: "serving.kserve.io/inferencegraph",
    Kind.LLM_INFERENCE_SERVICE: "app.kubernetes.io/name",
}
LLM_PART_OF = "app.kubernetes.io/part-of=llminferenceservice"
PIN_FINALIZER = "modelswitch.dev/grace"
PIN_LABEL = "modelswitch.dev/pinned"
"""Says which installation has pinned it."""
PINNED = "true"
PIN_MODEL = "modelswitch.dev/model"
HANDOVER_POLICY = "modelswitch-handover"
"""How the name of that ValidatingAdmissionPolicy begins; after a dot follows the installation's namespace."""
STOP_ANNOTATION_POLICY = "modelswitch-stop-annotation"
"""Likewise, of the policy by which only modelswitch writes its annotation on a model
(knative/base/stop-annotation.yaml).
"""
HANDOVER_LABEL = "modelswitch.dev/handover"
LEFT_ANNOTATION = "modelswitch.dev/left-service-at"
REVISION_LABEL = "serving.knative.dev/revision"
SERVICE_LABEL = "app"
"""By which KServe's Services find their pods in Standard mode (its GetRawServiceLabel)."""
VERSIONS_KEPT_SECONDS = 60.0
"""How long it may take until an upgrade of KServe's resources is noticed."""
_LONGEST_LABEL = 63
_NUMBER = re.compile(r"[0-9]{1,19}")
WORKLOADS = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}


class Resources:
    """Paths; which version of LLMInferenceService is served is asked again every minute, since
    KServe may be upgraded.
    """

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._served: frozenset[str] | None = None
        self._until = 0.0

    async def collection(self, kind: Kind, namespace: str | None = None) -> str:
        place = f"/namespaces/{namespace}" if namespace else ""
        return f"{GROUP}/{await self._version(kind)}{place}/{kind.plural}"

    async def model(self, ref: ModelRef) -> str:
        return named(await self.collection(ref.kind, ref.namespace), ref.name)

    async def llm_can_stop(self) -> bool:
        """KServe 0.17 brought both v1alpha2 and the stop annotation to LLMInferenceService."""
        return LLM_VERSION_THAT_STOPS in await self._versions()

    async def _version(self, kind: Kind) -> str:
        if kind in _VERSIONS:
            return _VERSIONS[kind]
        return LLM_VERSION_THAT_STOPS if await self.llm_can_stop() else "v1alpha1"

    async def _versions(self) -> frozenset[str]:
        """Where the API server does not answer, what it said before counts."""
        if self._served is None or self._clock() >= self._until:
            try:
                self._served = await self._ask()
            except ClusterUnavailable:
                if self._served is None:
                    raise
            self._until = self._clock() + VERSIONS_KEPT_SECONDS
        return self._served

    async def _ask(self) -> frozenset[str]:
        try:
            group: Json = await self._cluster.get(GROUP)
        except Missing:
            return frozenset()
        return frozenset(version["version"] for version in group.get("versions") or [])


def named(collection: str, name: str) -> str:
    """One object of a collection. Raises Missing for what no object is called: a reference may hold any text."""
    segment = quoted(name)
    if segment is None:
        raise Missing(f"{collection}: no object is called {name!r:.100}")
    return f"{collection}/{segment}"


def pods(namespace: str | None) -> str:
    return f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"


def workloads(kind: str, namespace: str | None = None) -> str:
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/apps/v1{place}/{WORKLOADS[kind]}"


def deployments(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def pod_selector(ref: ModelRef) -> str:
    """The labels that KServe puts on every pod of this model, in every mode, and on its Deployments."""
    own = f"{_LABELS[ref.kind]}={ref.name}"
    return f"{LLM_PART_OF},{own}" if ref.kind is Kind.LLM_INFERENCE_SERVICE else own


def kind_selector(kind: Kind, names: Iterable[str] = ()) -> str:
    """Every pod of every model of this kind, or of those of these names. What is no label value is no pod's label."""
    labels = [name for name in names if len(name) <= _LONGEST_LABEL]
    own = f"{_LABELS[kind]} in ({','.join(labels)})" if labels else _LABELS[kind]
    if kind is not Kind.LLM_INFERENCE_SERVICE:
        return own
    return f"{LLM_PART_OF},{own}" if labels else LLM_PART_OF


def owner_of(labels: Mapping[str, str], namespace: str) -> ModelRef | None:
    """The model that a pod's labels name; None where it is no model's pod. Any user may write any label on a pod."""
    if not isinstance(labels, Mapping):
        return None
    kind = next((kind for kind in (Kind.INFERENCE_SERVICE, Kind.INFERENCE_GRAPH) if labels.get(_LABELS[kind])), None)
    if kind is None and labels.get("app.kubernetes.io/part-of") == "llminferenceservice":
        kind = Kind.LLM_INFERENCE_SERVICE
    name = labels.get(_LABELS[kind]) if kind else None
    if not (kind and name):
        return None
    try:
        return ModelRef(namespace=namespace, name=name, kind=kind)
    except ValidationError:
        return None


def as_number(version: object) -> int:
    """ResourceVersions compare as integers within one resource type (Kubernetes 1.35); 0 where one is opaque."""
    return int(version) if isinstance(version, str) and _NUMBER.fullmatch(version) else 0
