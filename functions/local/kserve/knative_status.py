"""The statuses of Knative's Service and Revision, from the revisions' Deployments."""

from functions.local.kserve.conditions import FALSE, TRUE, UNKNOWN, ConditionSet, find, is_true
from functions.local.kserve.resources import Json


def is_routed(service: Json, status: Json, revision: str, newest: str) -> bool:
    """The newest always is, as it is becoming ready; the others as long as traffic names them or nothing else is ready."""
    if revision == newest:
        return True
    named = {target.get("revisionName") for target in service["spec"].get("traffic", [])}
    return revision in named or revision == status.get("latestReadyRevisionName")


def update_revision(revision: Json, status: Json, deployment: Json, *, routed: bool) -> None:
    """Scaled to zero a revision stays Ready; only Active says so (False, NoTraffic)."""
    conditions = ConditionSet(status, ("ContainerHealthy", "ResourcesAvailable"))
    conditions.initialize()
    seen = deployment.get("status", {})
    failure = find(seen, "ReplicaFailure")
    if deployment["spec"].get("replicas") == 0:
        conditions.mark("Active", FALSE, "NoTraffic", "The target is not receiving traffic.")
    elif seen.get("availableReplicas"):
        conditions.mark("Active", TRUE)
        conditions.mark("ContainerHealthy", TRUE)
        conditions.mark("ResourcesAvailable", TRUE)
    else:
        conditions.mark("Active", UNKNOWN, "Deploying")
        if failure and failure["status"] == TRUE:
            conditions.mark("ResourcesAvailable", FALSE, failure["reason"], failure["message"])
        else:
            conditions.mark("ResourcesAvailable", UNKNOWN, "Deploying")
    status["observedGeneration"] = revision["metadata"].get("generation", 1)
    status["desiredReplicas"] = deployment["spec"].get("replicas", 0) if routed else 0
    status["actualReplicas"] = seen.get("availableReplicas", 0)


def update(service: Json, status: Json, revisions: list[Json]) -> None:
    newest, meta = revisions[-1], service["metadata"]
    status["observedGeneration"] = meta["generation"]
    status["latestCreatedRevisionName"] = newest["metadata"]["name"]
    if is_true(newest.get("status", {}), "Ready"):
        status["latestReadyRevisionName"] = newest["metadata"]["name"]
    conditions = ConditionSet(status, ("ConfigurationsReady", "RoutesReady"))
    conditions.initialize()
    _configuration(conditions, newest)
    if ready := status.get("latestReadyRevisionName"):
        status["traffic"] = _resolved(service, ready)
        status["url"] = f"http://{meta['name']}.{meta['namespace']}.example.com"
        status["address"] = {"url": f"http://{meta['name']}.{meta['namespace']}.svc.cluster.local"}
        conditions.mark("RoutesReady", TRUE)
    else:
        conditions.mark("RoutesReady", UNKNOWN, "RevisionMissing", f"Configuration {meta['name']} is not ready yet")


def _configuration(conditions: ConditionSet, newest: Json) -> None:
    verdict = find(newest.get("status", {}), "Ready") or {"status": UNKNOWN}
    name, message = newest["metadata"]["name"], verdict.get("message", "")
    if verdict["status"] == TRUE:
        conditions.mark("ConfigurationsReady", TRUE)
    elif verdict["status"] == FALSE:
        told = f'Revision "{name}" failed with message: {message}.'
        conditions.mark("ConfigurationsReady", FALSE, "RevisionFailed", told)
    else:
        conditions.mark("ConfigurationsReady", UNKNOWN)


def _resolved(service: Json, ready: str) -> list[Json]:
    """The traffic asked for, with the newest ready revision's name where the latest was asked for."""
    return [
        {**target, "revisionName": ready} if target.get("latestRevision") else dict(target)
        for target in service["spec"].get("traffic", [{"latestRevision": True, "percent": 100}])
    ]
