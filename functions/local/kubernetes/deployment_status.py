"""A Deployment's status from its ReplicaSets: counts, and the conditions Available, Progressing and ReplicaFailure."""

from functions.local.kubernetes import clock, ownership
from functions.local.kubernetes.rollout import bounds
from functions.local.kubernetes.store import Obj


def report(deployment: Obj, replica_sets: list[Obj], new_name: str) -> tuple[Obj, float | None]:
    """(the status, seconds until the progress deadline where that is still to come)."""
    new = next((item for item in replica_sets if item["metadata"]["name"] == new_name), None)
    counts = {
        "replicas": _total(replica_sets, "replicas"),
        "updatedReplicas": _total([new] if new else [], "replicas"),
        "readyReplicas": _total(replica_sets, "readyReplicas"),
        "availableReplicas": _total(replica_sets, "availableReplicas"),
    }
    wanted = deployment["spec"]["replicas"]
    counts["unavailableReplicas"] = max(max(wanted, counts["replicas"]) - counts["availableReplicas"], 0)
    status: Obj = {
        "observedGeneration": deployment["metadata"]["generation"],
        "terminatingReplicas": _total(replica_sets, "terminatingReplicas"),
        **{name: count for name, count in counts.items() if count},
    }
    if collisions := (deployment.get("status") or {}).get("collisionCount"):
        status["collisionCount"] = collisions
    progressing, again = _progressing(deployment, counts, new, new_name)
    conditions = [_available(deployment, counts["availableReplicas"]), progressing]
    failure = next((found for item in replica_sets if (found := ownership.condition(item, "ReplicaFailure"))), None)
    if failure:
        conditions.append(_condition(deployment, "ReplicaFailure", "True", failure["reason"], failure["message"]))
    status["conditions"] = conditions
    return status, again


def _total(replica_sets: list[Obj], member: str) -> int:
    return sum(int(item["status"].get(member, 0)) for item in replica_sets)


def _available(deployment: Obj, available: int) -> Obj:
    _, unavailable = bounds(deployment)
    if available >= deployment["spec"]["replicas"] - unavailable:
        message = "Deployment has minimum availability."
        return _condition(deployment, "Available", "True", "MinimumReplicasAvailable", message)
    message = "Deployment does not have minimum availability."
    return _condition(deployment, "Available", "False", "MinimumReplicasUnavailable", message)


def _progressing(deployment: Obj, counts: Obj, new: Obj | None, name: str) -> tuple[Obj, float | None]:
    wanted = deployment["spec"]["replicas"]
    done = all(counts[member] == wanted for member in ("replicas", "updatedReplicas", "availableReplicas"))
    if done and deployment["status"].get("observedGeneration") is not None and new:
        message = f'ReplicaSet "{name}" has successfully progressed.'
        return _condition(deployment, "Progressing", "True", "NewReplicaSetAvailable", message), None
    before = ownership.condition(deployment, "Progressing")
    deadline = float(deployment["spec"]["progressDeadlineSeconds"])
    if before is None:
        message = f'Created new replica set "{name}"'
        return _condition(deployment, "Progressing", "True", "NewReplicaSetCreated", message), deadline
    moved = any(counts[member] != deployment["status"].get(member, 0) for member in counts)
    left = deadline - clock.age(before["lastUpdateTime"])
    if moved or before["reason"] == "NewReplicaSetAvailable":
        message = f'ReplicaSet "{name}" is progressing.'
        fresh = _condition(deployment, "Progressing", "True", "ReplicaSetUpdated", message)
        return fresh | {"lastUpdateTime": clock.now()}, deadline
    if left > 0 or before["reason"] == "ProgressDeadlineExceeded":
        return before, max(left, 0.1) if left > 0 else None
    message = f'ReplicaSet "{name}" has timed out progressing.'
    return _condition(deployment, "Progressing", "False", "ProgressDeadlineExceeded", message), None


def _condition(deployment: Obj, kind: str, status: str, reason: str, message: str) -> Obj:
    before = ownership.condition(deployment, kind)
    if before and (before["status"], before["reason"], before["message"]) == (status, reason, message):
        return before
    changed = not before or before["status"] != status
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": clock.now(),
        "lastTransitionTime": clock.now() if changed or not before else before["lastTransitionTime"],
    }
