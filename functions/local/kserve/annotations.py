"""The annotations that KServe acts on, and which of them reach a pod."""

from functions.local.kserve.resources import Json

STOP = "serving.kserve.io/stop"
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
DISABLE_AUTO_UPDATE = "serving.kserve.io/disable-auto-update"
AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
SOURCE_URI = "internal.serving.kserve.io/storage-initializer-sourceuri"
MIN_SCALE = "autoscaling.knative.dev/min-scale"
MAX_SCALE = "autoscaling.knative.dev/max-scale"
INITIAL_SCALE = "autoscaling.knative.dev/initial-scale"

IDLE_SECONDS = "sim.modelswitch.dev/idle-seconds"
"""Knative mode with minReplicas 0: seconds from ready to zero (on the model or its ServingRuntime's pods)."""
DRAIN_SECONDS = "sim.modelswitch.dev/drain-seconds"
"""Knative mode: seconds for which a preStop hook holds a pod, as queue-proxy does for about 30."""

DISALLOWED = {
    MIN_SCALE,
    MAX_SCALE,
    "modelFormat",
    SOURCE_URI,
    "kubectl.kubernetes.io/last-applied-configuration",
}
"""Exact keys; every other annotation of an InferenceService is copied to its pods (serviceAnnotationDisallowedList)."""

LLM_ALLOWED_PREFIXES = (
    "k8s.v1.cni.cncf.io",
    "kueue.x-k8s.io",
    "prometheus.io",
    "internal.serving.kserve.io/localmodel",
)
"""An LLMInferenceService's pods get these only (propagateDeploymentMetadata in llmisvc/workload_single_node.go)."""


def annotations_of(obj: Json) -> dict[str, str]:
    return dict(obj["metadata"].get("annotations") or {})


def labels_of(obj: Json) -> dict[str, str]:
    return dict(obj["metadata"].get("labels") or {})


def is_stopped(obj: Json) -> bool:
    """`true` in any case stops; anything else, also "false", does not (GetForceStopRuntime)."""
    return annotations_of(obj).get(STOP, "").lower() == "true"


def passed_on(annotations: dict[str, str] | None) -> dict[str, str]:
    """What of an InferenceService's annotations reaches its pods."""
    return {key: value for key, value in (annotations or {}).items() if key not in DISALLOWED}
