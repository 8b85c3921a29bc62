"""The reasons that modelswitch gives, and what to do next for each that a model can be in error for."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a model is in its state, as modelswitch derives it. Beside these stand the reasons that Kubernetes and KServe give."""

    DELETING = "Deleting"
    UNREADABLE = "Unreadable"
    STOP_IGNORED = "StopIgnored"
    PODS_NOT_GONE = "PodsNotGone"
    DRAINING = "Draining"
    AWAITING_KSERVE = "AwaitingKServe"
    STOPPED_BY_USER = "StoppedByUser"
    STOPPED_OUTSIDE = "StoppedOutside"
    DEGRADED = "Degraded"
    RELOADING = "Reloading"
    UNVERIFIED = "Unverified"
    MODEL_MISSING = "ModelMissing"
    SMOKE_TEST_FAILED = "SmokeTestFailed"
    MODEL_NOT_ANSWERING = "ModelNotAnswering"
    MEMBER_NOT_RUNNING = "MemberNotRunning"
    SCALED_TO_ZERO = "ScaledToZero"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    WAKING = "Waking"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    STILL_LOADING = "StillLoading"
    AWAITING_PODS = "AwaitingPods"
    AWAITING_ROUTE = "AwaitingRoute"
    PODS_STARTING = "PodsStarting"
    VERIFYING = "Verifying"
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    STORAGE_INITIALIZER_FAILED = "StorageInitializerFailed"


ADVICE: dict[str, str] = {
    "Unreadable": "Correct that field, or remove it: kubectl edit. The model can be stopped all the same.",
    "StopIgnored": "Check the KServe controller's log; start the model to withdraw the stop.",
    "PodsNotGone": "Check the node (kubectl get nodes) and the pods' finalizers.",
    "StartDeadlineExceeded": "Read the pods' logs (kubectl logs). Where it still loads, give it longer (annotation "
    "modelswitch.dev/start-deadline, set while it is stopped); where it hangs, stop it to free what it holds.",
    "StillLoading": "Wait, and follow the pod's log (kubectl logs -f); later starts may take as long.",
    "Unschedulable": "It starts by itself when another model is stopped or a node is added; stop it to leave the queue.",
    "ImagePullBackOff": "Check the image's name and the pull secret in the ServingRuntime; Kubernetes tries again by itself.",
    "ErrImagePull": "Check the image's name and the pull secret in the ServingRuntime; Kubernetes tries again by itself.",
    "InvalidImageName": "Fix the image name in the ServingRuntime or the model.",
    "CrashLoopBackOff": "Read the last log: kubectl logs --previous; then fix the model or its artifact.",
    "CreateContainerConfigError": "Create the Secret or ConfigMap that the pod names.",
    "CreateContainerError": "Read the pod's events: kubectl describe pod.",
    "RunContainerError": "Read the pod's events: kubectl describe pod.",
    "StorageInitializerFailed": "Check the storageUri and its credentials; the init container's log says more.",
    "QuotaExceeded": "Stop another model of this namespace or ask for a larger quota; it starts by itself when there is room.",
    "RuntimeNotRecognized": "Create the ServingRuntime that the model names, or name another.",
    "RuntimeDisabled": "Enable the ServingRuntime (spec.disabled) or name another.",
    "NoSupportingRuntime": "Install a ServingRuntime that supports this model format and protocol.",
    "InvalidPredictorSpec": "Fix the model's spec; KServe's message says what is wrong.",
    "AwaitingScaler": "Check what its autoscaler waits for (kubectl describe scaledobject, hpa); a stop keeps it down.",
    "ScaledToZeroOutside": "Stop and start the model: KServe then makes the Deployment with replicas again; or scale it up "
    "(kubectl scale) and stop what scales it down.",
    "ModelMissing": "Write the artifact and publish artifact.written (modelswitch publish artifact); it is then loaded. Or stop "
    "and start the model once the artifact is there.",
    "SmokeTestFailed": "Fix the model, its artifact or its smoke test (annotation modelswitch.dev/smoke-test); its pods "
    "are asked again by themselves, every 5 minutes at the latest.",
    "ModelNotAnswering": "Read the predictor's log: it may hang; stop and start the model.",
    "MemberNotRunning": "Start or fix the models that the graph names; it runs again by itself.",
    "ModelLoadFailed": "Check the artifact at storageUri; the predictor's log says more.",
}


def advice(reason: str | None) -> str | None:
    """None where the reason is not an error's, or KServe's own and new to us."""
    return ADVICE.get(reason or "")
