"""ReplicaSet -> pods. A live one replaces a pod at once, also one that lost its labels, which it lets go.

One that is being deleted makes, removes and lets go nothing.
"""

from collections.abc import Iterable

from functions.local.kubernetes import clock, ownership, selectors
from functions.local.kubernetes.deletion import DeleteOptions, delete
from functions.local.kubernetes.errors import ApiError
from functions.local.kubernetes.objects import Objects, suffix
from functions.local.kubernetes.reconciler import FIRST_RETRY, LONGEST_RETRY, Reconciler
from functions.local.kubernetes.resources import PODS, REPLICASETS
from functions.local.kubernetes.store import Change, Key, Obj


class ReplicaSets(Reconciler):
    """The ReplicaSet controller."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(objects)
        self._refusals: dict[Key, int] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        return ownership.self_and_owner(change, PODS, REPLICASETS)

    def reconcile(self, key: Key) -> float | None:
        replica_set = self.objects.store.get(REPLICASETS, key.namespace, key.name)
        if replica_set is None:
            return None
        refusal: ApiError | None = None
        if not replica_set["metadata"].get("deletionTimestamp"):
            refusal = self._scale(replica_set)
        self._report(replica_set, refusal)
        if refusal is None:
            self._refusals.pop(key, None)
            return None
        self._refusals[key] = self._refusals.get(key, 0) + 1
        return min(FIRST_RETRY * 2.0 ** self._refusals[key], LONGEST_RETRY)

    def _scale(self, replica_set: Obj) -> ApiError | None:
        """Make or remove what differs; answers why a pod was refused."""
        owned = ownership.owned_by(self.objects, replica_set, PODS)
        selected = selectors.match_labels(replica_set["spec"]["selector"])
        for pod in owned:
            if not selected(pod):
                ownership.release(self.objects, replica_set, pod)
        pods = [pod for pod in owned if ownership.is_active(pod) and selected(pod)]
        wanted = replica_set["spec"]["replicas"]
        for _ in range(wanted - len(pods)):
            name = f"{replica_set['metadata']['name']}-{suffix()}"
            try:
                ownership.make_pod(self.objects, replica_set, name)
            except ApiError as error:
                if error.code != 403:
                    raise
                message = f"Error creating: {error.message}"
                ownership.tell(self.objects, replica_set, "FailedCreate", message, "replicaset-controller")
                return error
        surplus = sorted(pods, key=_cost_of_loss)[: max(len(pods) - wanted, 0)]
        for pod in surplus:
            meta = pod["metadata"]
            delete(self.objects, PODS, meta["namespace"], meta["name"], DeleteOptions(uid=meta["uid"]))
        return None

    def _report(self, replica_set: Obj, refusal: ApiError | None) -> None:
        pods = ownership.owned_by(self.objects, replica_set, PODS)
        active = [pod for pod in pods if ownership.is_active(pod)]
        ready = sum(ownership.is_ready(pod) for pod in active)
        status: Obj = {
            "replicas": len(active),
            "observedGeneration": replica_set["metadata"]["generation"],
            "terminatingReplicas": len(pods) - len(active),
        }
        if active:
            status["fullyLabeledReplicas"] = len(active)
        if ready:
            status |= {"readyReplicas": ready, "availableReplicas": ready}
        if refusal:
            status["conditions"] = [_failure(replica_set, refusal)]
        self.objects.set_status(REPLICASETS, replica_set, status, ownership.MANAGER.manager)


def _failure(replica_set: Obj, refusal: ApiError) -> Obj:
    before = ownership.condition(replica_set, "ReplicaFailure")
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": before["lastTransitionTime"] if before else clock.now(),
        "reason": "FailedCreate",
        "message": before["message"] if before else refusal.message,
    }


def _cost_of_loss(pod: Obj) -> tuple[bool, bool, float]:
    """Pods that are lost first come first: unscheduled, unready, youngest."""
    age = clock.age(pod["metadata"]["creationTimestamp"])
    return bool(pod["spec"].get("nodeName")), ownership.is_ready(pod), age
