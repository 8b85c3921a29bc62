"""What each component of an InferenceService is to be: names, labels, annotations and pod, the same in both modes."""

from dataclasses import dataclass

from functions.local.kserve.annotations import SOURCE_URI, annotations_of, labels_of, passed_on
from functions.local.kserve.podspec import custom_pod, merged_pod
from functions.local.kserve.resources import Json
from functions.local.kserve.runtimes import Runtime

CONDITIONS = {"predictor": "PredictorReady", "transformer": "TransformerReady", "explainer": "ExplainerReady"}


@dataclass(frozen=True)
class Component:
    """`spec` is the component's part of the InferenceService; `pod` the pod's spec without defaults."""

    kind: str
    name: str
    namespace: str
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Json
    pod: Json

    @property
    def condition(self) -> str:
        return CONDITIONS[self.kind]

    @property
    def url(self) -> str:
        return f"http://{self.name}-{self.namespace}.example.com"


def component_of(isvc: Json, kind: str, runtime: Runtime | None = None) -> Component:
    """Annotations and labels: the runtime's, then the InferenceService's, then the component's own (buildObjectMeta)."""
    meta, spec = isvc["metadata"], isvc["spec"][kind]
    shared = runtime.spec if runtime else {}
    annotations = {
        **passed_on(shared.get("annotations")),
        **passed_on(annotations_of(isvc)),
        **passed_on(spec.get("annotations")),
    }
    uri = spec.get("model", {}).get("storageUri")
    if uri:
        annotations[SOURCE_URI] = uri
    labels = {**(shared.get("labels") or {}), **labels_of(isvc), **(spec.get("labels") or {})}
    labels |= {"serving.kserve.io/inferenceservice": meta["name"], "component": kind}
    return Component(
        kind=kind,
        name=f"{meta['name']}-{kind}",
        namespace=meta["namespace"],
        labels=labels,
        annotations=annotations,
        spec=spec,
        pod=_pod(isvc, kind, runtime),
    )


def _pod(isvc: Json, kind: str, runtime: Runtime | None) -> Json:
    name, namespace = isvc["metadata"]["name"], isvc["metadata"]["namespace"]
    spec = isvc["spec"][kind]
    if runtime:
        return merged_pod(name, namespace, runtime.spec, spec)
    if kind == "predictor":
        return custom_pod(name, namespace, spec)
    args = (f"--model_name={name}", f"--predictor_host={name}-predictor.{namespace}", "--http_port=8080")
    return custom_pod(name, namespace, spec, args)
