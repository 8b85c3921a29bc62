"""Many models as a cluster shows them, of every sort: each with its objects, and what the API must say of it.

Plain objects: no controller acts on them. Their pods are gated, so that no scheduler or kubelet takes them up.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from events.model import Kind, ModelRef
from events.status import Hold, HoldKind, State
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote

Json = dict[str, Any]
PER_NAMESPACE = 125
MADE_AT = "2026-01-01T00:00:00Z"
STOP = "serving.kserve.io/stop"
VERSIONS = {Kind.INFERENCE_SERVICE: "v1beta1", Kind.LLM_INFERENCE_SERVICE: "v1alpha2", Kind.INFERENCE_GRAPH: "v1alpha1"}
_READY = {"type": "Ready", "status": "True", "lastTransitionTime": MADE_AT}
_NOT_READY = {"type": "Ready", "status": "False", "reason": "Stopped", "lastTransitionTime": MADE_AT}
_STOPPED = {"type": "Stopped", "status": "True", "lastTransitionTime": MADE_AT}
_KNOWS_THE_STOP = {**_STOPPED, "status": "False"}
_GPU = {"limits": {"nvidia.com/gpu": "1", "memory": "16Gi"}, "requests": {"nvidia.com/gpu": "1", "memory": "16Gi"}}


@dataclass(frozen=True)
class Model:
    """`stop`: None, "us" or "kubectl". `pod`: None, "ready" or "unschedulable". `trouble`: what KServe reports."""

    ref: ModelRef
    state: State
    stop: str | None = None
    pod: str | None = None
    trouble: bool = False

    @property
    def collection(self) -> str:
        return (
            f"/apis/serving.kserve.io/{VERSIONS[self.ref.kind]}/namespaces/{self.ref.namespace}/{self.ref.kind.plural}"
        )

    @property
    def endpoint(self) -> str:
        return f"http://{self.ref.name}.{self.ref.namespace}.example.com"

    def object(self) -> Json:
        idle = self.state is State.RUNNING and not self.pod  # a request wakes it in Knative mode only
        annotations = {"serving.kserve.io/deploymentMode": "Knative" if idle else "Standard"}
        if self.stop:
            annotations[STOP] = "true"
        if self.stop == "us":
            annotations[STOP_NOTE_ANNOTATION] = self._stop_note().dump()
        labels = {"team": f"team-{_number(self.ref) % 7}", "fixture": self.state.value}
        _, _, group, version, *_ = self.collection.split("/")
        kind = {"apiVersion": f"{group}/{version}", "kind": self.ref.kind.value}
        return {
            **kind,
            "metadata": {"name": self.ref.name, "annotations": annotations, "labels": labels},
            "spec": self._spec(),
        }

    def status(self) -> Json:
        if self.stop:
            stopped = [] if self.ref.kind is Kind.LLM_INFERENCE_SERVICE else [_STOPPED]
            return {"conditions": [_NOT_READY, *stopped]}
        if self.trouble:
            failure = {"reason": "ModelLoadFailed", "message": "the artifact is no model"}
            model = {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failure}
            return {"conditions": [{**_READY, "status": "False"}], "modelStatus": model}
        if self.pod == "unschedulable":
            return {"conditions": [{**_READY, "status": "False"}]}
        return {"conditions": [_READY, _KNOWS_THE_STOP], "url": self.endpoint}

    def pod_object(self) -> Json:
        name = self.ref.name
        labels = {
            Kind.INFERENCE_SERVICE: {"serving.kserve.io/inferenceservice": name, "component": "predictor"},
            Kind.INFERENCE_GRAPH: {"serving.kserve.io/inferencegraph": name},
            Kind.LLM_INFERENCE_SERVICE: {
                "app.kubernetes.io/part-of": "llminferenceservice",
                "app.kubernetes.io/name": name,
            },
        }[self.ref.kind]
        container = {"name": "kserve-container", "image": "local/model:1", "resources": _GPU}
        return {
            "metadata": {"name": f"{name}-predictor", "labels": labels},
            "spec": {"containers": [container], "schedulingGates": [{"name": "modelswitch.dev/test"}]},
        }

    def pod_status(self) -> Json:
        if self.pod == "ready":
            return {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        reason = {"reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}
        return {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", **reason}]}

    def _spec(self) -> Json:
        match self.ref.kind:
            case Kind.INFERENCE_SERVICE:
                model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
                return {"predictor": {"model": model, "minReplicas": 1 if self.pod or self.stop else 0}}
            case Kind.LLM_INFERENCE_SERVICE:
                return {"model": {"uri": "hf://facebook/opt-125m", "name": self.ref.name}}
            case Kind.INFERENCE_GRAPH:
                steps = [{"name": "first", "serviceUrl": "http://elsewhere.example.com"}]
                return {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}}

    def _stop_note(self) -> StopNote:
        since = datetime(2026, 1, 1, tzinfo=UTC)
        hold = Hold(kind=HoldKind.USER, actor="nightly", reason="retraining needs the GPU", since=since)
        number = _number(self.ref)
        return StopNote(
            holds=(hold,),
            source="/pipelines/nightly",
            command=f"stop-{number}",
            sequence=1_767_225_600_000 + number,
            since=since,
            endpoint=self.endpoint,
        )


def _number(ref: ModelRef) -> int:
    return int(ref.name.rpartition("-")[2])


_SERVICE, _LLM, _GRAPH = Kind.INFERENCE_SERVICE, Kind.LLM_INFERENCE_SERVICE, Kind.INFERENCE_GRAPH
_RUNS: tuple[Kind, dict[str, Any]] = (_SERVICE, {"state": State.RUNNING, "pod": "ready"})
MIX: tuple[tuple[Kind, dict[str, Any]], ...] = (
    *[_RUNS] * 8,
    (_SERVICE, {"state": State.RUNNING}),
    (_SERVICE, {"state": State.STOPPED, "stop": "us"}),
    (_SERVICE, {"state": State.STOPPED, "stop": "us"}),
    (_SERVICE, {"state": State.STOPPED, "stop": "us"}),
    (_SERVICE, {"state": State.STOPPED, "stop": "kubectl"}),
    (_SERVICE, {"state": State.ERROR, "pod": "unschedulable"}),
    (_SERVICE, {"state": State.ERROR, "trouble": True}),
    (_LLM, {"state": State.RUNNING, "pod": "ready"}),
    (_LLM, {"state": State.STOPPED, "stop": "us"}),
    (_GRAPH, {"state": State.RUNNING, "pod": "ready"}),
    (_GRAPH, {"state": State.STOPPED, "stop": "us"}),
    (_GRAPH, {"state": State.STOPPED, "stop": "kubectl"}),
)


def models(count: int, prefix: str) -> list[Model]:
    """`count` models, every sort of them in every namespace; namespaces are named `prefix`-NUMBER."""
    made = []
    for number in range(count):
        kind, sort = MIX[number % len(MIX)]
        namespace = f"{prefix}-{number // PER_NAMESPACE:03d}"
        made.append(Model(ModelRef(namespace=namespace, name=f"model-{number:05d}", kind=kind), **sort))
    return made
