"""The reasons that modelswitch gives, and what to do next for each that a model can be in error for."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a model is in its state, as modelswitch derives it. Beside these stand the reasons that Kubernetes and KServe give."""

    DELETING = "Deleting"
    UNREADABLE = "Unreadable"
    STOP_IGNORED = "StopIgnored"
    PODS_NOT_GONE = "PodsNotGone"
    DRAINING = "Draining"
    KSERVE_BUSY = "KServeBusy"
    KSERVE_BEHIND = "KServeBehind"
    AWAITING_KSERVE = "AwaitingKServe"
    STOPPED_BY_USER = "StoppedByUser"
    STOPPED_OUTSIDE = "StoppedOutside"
    DEGRADED = "Degraded"
    CANARY = "Canary"
    RELOADING = "Reloading"
    ASLEEP = "Asleep"
    UNVERIFIED = "Unverified"
    MODEL_MISSING = "ModelMissing"
    SMOKE_TEST_FAILED = "SmokeTestFailed"
    MODEL_NOT_ANSWERING = "ModelNotAnswering"
    MEMBER_NOT_RUNNING = "MemberNotRunning"
    SCALED_TO_ZERO = "ScaledToZero"
    SCALED_TO_ZERO_OUTSIDE = "ScaledToZeroOutside"
    SCHEDULING_GATED = "SchedulingGated"
    SUSPENDED = "Suspended"
    AWAITING_SCALER = "AwaitingScaler"
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
    "SchedulingGated": "It starts by itself once the controller that set the gate removes it; for Kueue: kubectl get workloads. "
    "Stop the model to leave the queue.",
    "Suspended": "Set spec.suspend to false, or wait until its queue does; stop the model to leave the queue.",
    "UnschedulableUnknown": "Read the scheduler's message; modelswitch does not know its cause: kubectl describe pod.",
    "NoNodes": "Add a node, or wait until one is ready: kubectl get nodes.",
    "NodesTooSmall": "Add a node that has as much, reduce what the model requests, or let it run on nodes that have it "
    "(tolerations, nodeSelector). Stopping other models does not help.",
    "NodesUnavailable": "Bring the nodes back: kubectl get nodes; kubectl uncordon.",
    "TaintNotTolerated": "Add a toleration for the taint to the model, or remove the taint: kubectl describe nodes.",
    "NodeSelectorMismatch": "Label a node as the model's nodeSelector or node affinity wants, or change that.",
    "PodAffinityMismatch": "Change the pod affinity in the model, or start the pods that it wants to be near.",
    "PodAntiAffinity": "Stop what the model does not want to be near, add a node, or change the anti-affinity rules.",
    "TopologySpreadMismatch": "Add nodes to the zones that lack them, or relax the model's topologySpreadConstraints.",
    "TooManyPods": "Add a node or stop what runs there: the nodes run as many pods as they may, whatever those request.",
    "HostPortInUse": "Stop what uses that host port, or add a node.",
    "VolumeClaimMissing": "Create the PersistentVolumeClaim that the model names, or correct its name.",
    "VolumeClaimUnbound": "Bind the PersistentVolumeClaim: kubectl describe pvc says what it waits for, such as a "
    "StorageClass or a volume. Stopping other models does not help.",
    "VolumeOnOtherNodes": "Add a node where the volume is (its zone or node), or move the data to a volume that others reach.",
    "VolumeInUse": "Stop the pod that uses the volume, or use a claim that several pods may mount.",
    "TooManyVolumes": "Add a node, or stop what has volumes there: the nodes have as many attached as they may.",
    "ResourceClaimMissing": "Create the ResourceClaim, its template or its DeviceClass: kubectl get resourceclaims.",
    "ResourceClaimUnsatisfied": "Add a node with such a device, or change the ResourceClaim: kubectl get resourceslices.",
    "ImagePullBackOff": "Check the image's name and the pull secret in the ServingRuntime; Kubernetes tries again by itself.",
    "ErrImagePull": "Check the image's name and the pull secret in the ServingRuntime; Kubernetes tries again by itself.",
    "InvalidImageName": "Fix the image name in the ServingRuntime or the model.",
    "CrashLoopBackOff": "Read the last log: kubectl logs --previous; then fix the model or its artifact.",
    "CreateContainerConfigError": "Create the Secret or ConfigMap that the message names, or correct the field that it names.",
    "CreateContainerError": "Read the pod's events: kubectl describe pod.",
    "RunContainerError": "Read the pod's events: kubectl describe pod.",
    "ErrImageNeverPull": "Put the image on the node, or set imagePullPolicy to IfNotPresent in the ServingRuntime.",
    "ImageInspectError": "Check the container runtime of that node; its copy of the image may be broken: crictl inspecti.",
    "RegistryUnavailable": "Check the image registry and the node's way to it; Kubernetes tries again by itself.",
    "SignatureValidationFailed": "Sign the image, or change the node's signature policy.",
    "WrongArchitecture": "Use an image that was built for the node's architecture, or select other nodes "
    "(nodeSelector kubernetes.io/arch).",
    "PreCreateHookError": "Read the pod's events: kubectl describe pod.",
    "PreStartHookError": "Read the pod's events: kubectl describe pod.",
    "PostStartHookError": "Fix the container's postStart hook; the pod's events say how it failed.",
    "VerifyNonRootError": "Use an image with a user that is not root, or change runAsNonRoot.",
    "OOMKilled": "Raise the memory limit, or serve a smaller model; the container needed more than its limit.",
    "StartError": "Fix the container's command or image; the message says what could not be executed.",
    "ContainerCannotRun": "Fix the container's command or image; the message says what could not be executed.",
    "ContainerStatusUnknown": "Check the pod's node: it lost the container (kubectl get nodes).",
    "NodeNotReady": "Check the node: kubectl get nodes. Kubernetes replaces the pod after about 5 minutes.",
    "Evicted": "Give the node more of what it lacked, or let the model request what it really uses.",
    "Preempting": "Give the model a higher priority class, or make room on the node.",
    "PreemptionByScheduler": "Give the model a higher priority class, or make room for both.",
    "UnexpectedAdmissionError": "Check the node's device plugin and kubelet: it promised a device that it can't give.",
    "TopologyAffinityError": "Request CPUs and devices that one NUMA node has, or change the node's topology manager policy.",
    "NodeAffinity": "Check the node's labels: it no longer has those that the pod selects.",
    "DeadlineExceeded": "Remove activeDeadlineSeconds from the model's pods.",
    "NoScheduler": "Check that this scheduler runs, and the model's schedulerName; kubectl describe pod.",
    "FailedResourceClaimCreation": "Create the ResourceClaimTemplate that the model names, or correct its name.",
    "FailedMount": "Create the Secret, ConfigMap or claim that is missing, or check the volume's server; Kubernetes tries "
    "again by itself.",
    "FailedAttachVolume": "Stop the pod on the other node that has the volume (reload with strategy replace), or use a "
    "claim that many nodes may mount (ReadWriteMany, ReadOnlyMany).",
    "FailedMapVolume": "Check the volume and its driver on that node: kubectl describe pod, kubectl get volumeattachments.",
    "FailedCreatePodSandBox": "Check the network plugin and the container runtime of that node: kubectl describe pod.",
    "NetworkNotReady": "Check the network plugin of that node.",
    "FailedPrepareDynamicResources": "Check the DRA driver of that node: kubectl get resourceclaims, resourceslices.",
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
