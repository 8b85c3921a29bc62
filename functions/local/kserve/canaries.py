"""`spec.canary` in Standard mode: a Deployment and a Service for each, with fixed replicas (reconcileCanaryDeployments in
predictor.go).
"""

import copy
from math import ceil

from functions.local.kserve.annotations import is_stopped
from functions.local.kserve.cluster import Cluster
from functions.local.kserve.conditions import FALSE, TRUE, ConditionSet
from functions.local.kserve.podspec import overlay
from functions.local.kserve.resources import DEPLOYMENT, SERVICE, Json

CONDITION = "CanaryPredictorReady"
_SCALING = ("maxReplicas", "scaleTarget", "scaleMetric", "autoScaling")


def predictor_name(isvc: Json) -> str:
    """Of the Deployment and the Service: the predictor may have a name of its own."""
    name, own = isvc["metadata"]["name"], isvc["spec"]["predictor"].get("name")
    return f"{name}-{own}-predictor" if own else f"{name}-predictor"


def canaries_of(isvc: Json) -> list[Json]:
    """Each as an InferenceService whose predictor is the canary's, over the stable one's."""
    found = []
    for canary in isvc["spec"].get("canary") or []:
        predictor = overlay(isvc["spec"]["predictor"], canary["predictor"])
        predictor["minReplicas"] = replicas_of(isvc, canary)
        for field in _SCALING:
            predictor.pop(field, None)
        found.append({**isvc, "spec": {**isvc["spec"], "predictor": predictor}})
    return found


def replicas_of(isvc: Json, canary: Json) -> int:
    own = canary["predictor"].get("minReplicas")
    least = isvc["spec"]["predictor"].get("minReplicas")
    return int(own) if own is not None else ceil((1 if least is None else least) * canary["trafficPercent"] / 100)


def without_ready_canaries(isvc: Json, status: Json) -> Json:
    """The stable predictor has so many replicas less as its ready canaries have."""
    ready = {one["name"] for one in status.get("canaryStatuses") or [] if one["ready"]}
    serving = [one for one in isvc["spec"].get("canary") or [] if one["predictor"].get("name") in ready]
    least = isvc["spec"]["predictor"].get("minReplicas")
    if not serving or least is None:
        return isvc
    reduced = copy.deepcopy(isvc)
    reduced["spec"]["predictor"]["minReplicas"] = max(least - sum(replicas_of(isvc, one) for one in serving), 1)
    return reduced


def write_status(isvc: Json, status: Json, conditions: ConditionSet, deployments: list[Json | None]) -> None:
    """`deployments`: one for each canary, in their order."""
    canaries = isvc["spec"].get("canary") or []
    if not canaries:
        status.pop("canaryStatuses", None)
        conditions.clear(CONDITION)
        return
    ready = [bool(found and found.get("status", {}).get("availableReplicas")) for found in deployments]
    status["canaryStatuses"] = [
        {"name": one["predictor"].get("name", ""), "ready": up, "trafficPercent": one["trafficPercent"]}
        for one, up in zip(canaries, ready, strict=True)
    ]
    if is_stopped(isvc):
        conditions.mark(CONDITION, FALSE, "Stopped")
    elif all(ready):
        conditions.mark(CONDITION, TRUE, "AllCanariesReady")
    else:
        conditions.mark(CONDITION, FALSE, "CanariesNotReady")


async def remove_others(cluster: Cluster, isvc: Json) -> None:
    """Predictors of canaries that are no longer in the spec."""
    meta = isvc["metadata"]
    expected = {predictor_name(one) for one in (isvc, *canaries_of(isvc))}
    label = f"serving.kserve.io/inferenceservice={meta['name']},component=predictor"
    for resource in (DEPLOYMENT, SERVICE):
        for found in (await cluster.list(resource, meta["namespace"], label))["items"]:
            owners = {reference["uid"] for reference in found["metadata"].get("ownerReferences") or []}
            if found["metadata"]["name"] not in expected and meta["uid"] in owners:
                await cluster.delete(resource, found)
