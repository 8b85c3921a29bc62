"""Knative mode, KServe's side: one Knative Service per component, and what its status means for the InferenceService."""

from typing import Any

from functions.local.kserve.annotations import MAX_SCALE, MIN_SCALE, is_stopped
from functions.local.kserve.applied import Applied
from functions.local.kserve.cluster import Cluster
from functions.local.kserve.components import Component
from functions.local.kserve.conditions import ConditionSet, find, is_true
from functions.local.kserve.resources import INFERENCE_SERVICE, KNATIVE_SERVICE, Json, owned_by

DEFAULT_TIMEOUT_SECONDS = 300
"""Knative's default for `timeoutSeconds`, which also becomes the pods' grace."""


class Serverless:
    def __init__(self, cluster: Cluster) -> None:
        self._services = Applied(cluster, KNATIVE_SERVICE)

    async def reconcile(self, isvc: Json, component: Component, entry: Json) -> Json | None:
        """The Knative Service's status; None where the model is stopped. `entry` is status.components.KIND."""
        if is_stopped(isvc):
            await self._services.remove(component.namespace, component.name, isvc["metadata"]["uid"])
            return None
        service, _ = await self._services.ensure(knative_service(isvc, component, entry))
        found: Json = service.get("status", {})
        return found


def knative_service(isvc: Json, component: Component, entry: Json) -> Json:
    annotations = {**component.annotations, "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev"}
    least = component.spec.get("minReplicas")
    annotations[MIN_SCALE] = str(1 if least is None else least)
    if component.spec.get("maxReplicas"):
        annotations[MAX_SCALE] = str(component.spec["maxReplicas"])
    pod = {key: value for key, value in component.pod.items() if key != "terminationGracePeriodSeconds"}
    revision = {"timeoutSeconds": component.spec.get("timeout", DEFAULT_TIMEOUT_SECONDS), **pod}
    if component.spec.get("containerConcurrency") is not None:
        revision["containerConcurrency"] = component.spec["containerConcurrency"]
    meta = {"name": component.name, "namespace": component.namespace, "labels": component.labels}
    spec = {
        "template": {"metadata": {"labels": component.labels, "annotations": annotations}, "spec": revision},
        "traffic": traffic(component.spec.get("canaryTrafficPercent"), entry.get("latestRolledoutRevision", "")),
    }
    return {"metadata": owned_by(isvc, INFERENCE_SERVICE, meta), "spec": spec}


def traffic(canary: int | None, rolled_out: str) -> list[Json]:
    """A canary needs a revision that had all traffic. A stop forgets it, so the next start sends all to the canary."""
    if canary is None or not rolled_out:
        return [{"latestRevision": True, "percent": 100}]
    targets: list[dict[str, Any]] = [{"latestRevision": True, "percent": canary}]
    if canary < 100:
        previous = {"revisionName": rolled_out, "latestRevision": False, "percent": 100 - canary, "tag": "prev"}
        targets.append(previous)
    return targets


def propagate(status: Json, conditions: ConditionSet, component: Component, seen: Json) -> None:
    """PropagateStatus in inference_service_status.go: revisions, traffic, URL and three conditions per component."""
    entry = status.setdefault("components", {}).setdefault(component.kind, {})
    ready, created = seen.get("latestReadyRevisionName", ""), seen.get("latestCreatedRevisionName", "")
    _roll_out(entry, seen, ready, created)
    values = {"latestCreatedRevision": created, "latestReadyRevision": ready, "traffic": seen.get("traffic")}
    for key, value in values.items():
        if value:
            entry[key] = value
        else:
            entry.pop(key, None)
    if is_true(seen, "Ready"):
        entry |= {key: seen[key] for key in ("address", "url") if key in seen}
    title = component.kind.capitalize()
    routed = "ExplainerRoutesReady" if component.kind == "explainer" else f"{title}RouteReady"
    for kind, source in (
        (component.condition, "Ready"),
        (routed, "RoutesReady"),
        (f"{title}ConfigurationReady", "ConfigurationsReady"),
    ):
        condition = find(seen, source)
        if condition:
            conditions.mark(kind, condition["status"], condition.get("reason", ""), condition.get("message", ""))
    if "observedGeneration" in seen:
        status["observedGeneration"] = seen["observedGeneration"]


def _roll_out(entry: Json, seen: Json, ready: str, created: str) -> None:
    """Which revision had all traffic last, and which before it."""
    for target in seen.get("traffic", []):
        if target.get("revisionName") != ready or not target.get("latestRevision"):
            continue
        percent = target.get("percent", 0)
        if entry.get("latestRolledoutRevision", "") != ready:
            if percent == 100:
                if entry.get("latestRolledoutRevision"):
                    entry["previousRolledoutRevision"] = entry["latestRolledoutRevision"]
                entry["latestRolledoutRevision"] = ready
        elif ready == created and percent < 100 and entry.get("previousRolledoutRevision"):
            shares = (t.get("percent", 0) for t in seen["traffic"] if t.get("revisionName") == ready)
            if sum(shares) == 100:
                entry["latestRolledoutRevision"] = entry["previousRolledoutRevision"]


def across_components(status: Json, conditions: ConditionSet, kinds: list[str]) -> None:
    """RoutesReady and LatestDeploymentReady, over all components (PropagateCrossComponentStatus)."""
    for whole, part in (("RoutesReady", "RouteReady"), ("LatestDeploymentReady", "ConfigurationReady")):
        verdict, reason = "True", ""
        for kind in kinds:
            name = "ExplainerRoutesReady" if (kind, part) == ("explainer", "RouteReady") else kind.capitalize() + part
            if not is_true(status, name):
                verdict = (find(status, name) or {"status": "Unknown"})["status"]
                reason = f"{name} not ready"
        conditions.mark(whole, verdict, reason)
