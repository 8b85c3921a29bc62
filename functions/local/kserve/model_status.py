"""`status.modelStatus`, from the pods and the conditions (PropagateModelStatus in inference_service_status.go).

KServe's word for a model that has not loaded; it says Loaded from readiness alone, so a server without a model is Loaded.
"""

from functions.local.kserve.conditions import is_true
from functions.local.kserve.podspec import SERVER
from functions.local.kserve.resources import Json

TRANSITIONS = {
    "Pending": "InProgress",
    "Loading": "InProgress",
    "Loaded": "UpToDate",
    "FailedToLoad": "BlockedByFailedLoad",
}


def invalid_spec(status: Json, reason: str, message: str) -> None:
    model = status.setdefault("modelStatus", {})
    model["transitionStatus"] = "InvalidSpec"
    model["states"] = {**_states(model), "targetModelState": "FailedToLoad"}
    model["lastFailureInfo"] = {"reason": reason, "message": message}


def propagate(status: Json, pods: list[Json], component: Json, knative: Json | None) -> None:
    """`component` is status.components.predictor; `knative` the Knative Service's status, None in Standard mode."""
    model = status.setdefault("modelStatus", {})
    model["copies"] = {"failedCopies": 0, "totalCopies": sum(_ready(pod) for pod in pods)}
    if not model["copies"]["totalCopies"]:
        del model["copies"]["totalCopies"]
    if not pods:
        failed = knative and any(condition["status"] == "False" for condition in knative.get("conditions", []))
        _move(model, "FailedToLoad" if failed else "Pending")
        return
    if is_true(status, "Ready") and (knative is None or _newest_is_ready(component)):
        _move(model, "Loaded")
        return
    if "states" not in model:
        _move(model, "Pending")
    for container in pods[0].get("status", {}).get("containerStatuses", []):
        if container["name"] == SERVER:
            _from_container(model, container)


def _newest_is_ready(component: Json) -> bool:
    return component.get("latestCreatedRevision") == component.get("latestReadyRevision")


def _from_container(model: Json, container: Json) -> None:
    """Only a container that ended or keeps crashing is a failure; a pull that fails stays Pending."""
    state = container.get("state", {})
    ended = state.get("terminated") or {}
    if ended.get("reason") == "Error":
        _failed(model, ended)
    elif (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff":
        _failed(model, container.get("lastState", {}).get("terminated") or {})
    else:
        _move(model, "Pending")


def _failed(model: Json, ended: Json) -> None:
    _move(model, "FailedToLoad")
    info = {"reason": "ModelLoadFailed"}
    info |= {key: ended[key] for key in ("message", "exitCode") if ended.get(key)}
    model["lastFailureInfo"] = info


def _move(model: Json, target: str) -> None:
    states = {**_states(model), "targetModelState": target}
    if target == "Loaded":
        states["activeModelState"] = "Loaded"
    model["states"] = states
    model["transitionStatus"] = TRANSITIONS[target]


def _states(model: Json) -> Json:
    return {"activeModelState": "", **(model.get("states") or {})}


def _ready(pod: Json) -> bool:
    status = pod.get("status", {})
    return status.get("phase") == "Running" and is_true(status, "Ready")
