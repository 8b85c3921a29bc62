"""Standard mode: a component's condition from its Deployment's (PropagateRawStatus in inference_service_status.go)."""

from functions.local.kserve.components import Component
from functions.local.kserve.conditions import FALSE, TRUE, UNKNOWN, ConditionSet, find
from functions.local.kserve.resources import Json


def propagate(status: Json, conditions: ConditionSet, component: Component, deployment: Json) -> None:
    """Writes the component's condition, its URL once it is ready, and the Deployment's observedGeneration."""
    seen = deployment.get("status", {})
    verdict, reason, message = _verdict(seen)
    entry = status.setdefault("components", {}).setdefault(component.kind, {})
    if verdict == TRUE:
        entry["url"] = component.url
    conditions.mark(component.condition, verdict, reason, message)
    if "observedGeneration" in seen:
        status["observedGeneration"] = seen["observedGeneration"]


def _verdict(seen: Json) -> tuple[str, str, str]:
    """(status, reason, message); what comes later overrides, so a quota that refuses pods wins over all."""
    available, progressing = find(seen, "Available"), find(seen, "Progressing")
    failure = find(seen, "ReplicaFailure")
    verdict = (FALSE, "", "")
    if _is(available, TRUE):
        verdict = (TRUE, *_why(available))
    if _is(progressing, FALSE) and progressing and progressing.get("message"):
        verdict = (FALSE, *_why(progressing))
    elif _is(progressing, TRUE) and _why(progressing)[0] == "NewReplicaSetAvailable":
        verdict = (TRUE, *_why(progressing))
    elif _is(progressing, TRUE) and not _is(available, TRUE):
        verdict = (UNKNOWN, *_why(progressing))
    if _is(available, FALSE):
        verdict = (FALSE, *_why(available))
    if _is(failure, TRUE):
        verdict = (FALSE, *_why(failure))
    return verdict


def _is(condition: Json | None, status: str) -> bool:
    return condition is not None and condition["status"] == status


def _why(condition: Json | None) -> tuple[str, str]:
    found = condition or {}
    return found.get("reason", ""), found.get("message", "")
