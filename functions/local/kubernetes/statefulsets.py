"""StatefulSet -> pods with stable names, one after the other, or all at once with `podManagementPolicy: Parallel`."""

from collections.abc import Iterable

from functions.local.kubernetes import ownership
from functions.local.kubernetes.deletion import DeleteOptions, delete
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.resources import PODS, STATEFULSETS
from functions.local.kubernetes.rollout import template_hash
from functions.local.kubernetes.store import Change, Key, Obj

REVISION = "controller-revision-hash"


class StatefulSets(Reconciler):
    """The StatefulSet controller."""

    def keys(self, change: Change) -> Iterable[Key]:
        return ownership.self_and_owner(change, PODS, STATEFULSETS)

    def reconcile(self, key: Key) -> float | None:
        stateful_set = self.objects.store.get(STATEFULSETS, key.namespace, key.name)
        if stateful_set is None:
            return None
        pods = {pod["metadata"]["name"]: pod for pod in ownership.owned_by(self.objects, stateful_set, PODS)}
        if not stateful_set["metadata"].get("deletionTimestamp"):
            self._converge(stateful_set, pods)
        self._report(stateful_set)
        return None

    def _converge(self, stateful_set: Obj, pods: dict[str, Obj]) -> None:
        ordered = stateful_set["spec"]["podManagementPolicy"] == "OrderedReady"
        name, wanted = stateful_set["metadata"]["name"], stateful_set["spec"]["replicas"]
        revision = f"{name}-{template_hash(stateful_set)}"
        for ordinal in range(wanted):
            pod = pods.get(f"{name}-{ordinal}")
            if pod is None:
                labels = {
                    "apps.kubernetes.io/pod-index": str(ordinal),
                    "statefulset.kubernetes.io/pod-name": f"{name}-{ordinal}",
                    REVISION: revision,
                }
                ownership.make_pod(self.objects, stateful_set, f"{name}-{ordinal}", labels)
            if ordered and (pod is None or not ownership.is_active(pod) or not ownership.is_ready(pod)):
                return
        keep = {f"{name}-{ordinal}" for ordinal in range(wanted)}
        extra = [pod for pod in pods.values() if pod["metadata"]["name"] not in keep]
        outdated = [pod for pod in pods.values() if pod["metadata"]["labels"].get(REVISION) != revision]
        going = sorted(extra or outdated, key=_ordinal, reverse=True)
        if any(not ownership.is_active(pod) for pod in going):
            return
        for pod in going[: 1 if ordered or not extra else len(going)]:
            meta = pod["metadata"]
            delete(self.objects, PODS, meta["namespace"], meta["name"], DeleteOptions(uid=meta["uid"]))

    def _report(self, stateful_set: Obj) -> None:
        pods = ownership.owned_by(self.objects, stateful_set, PODS)
        revision = f"{stateful_set['metadata']['name']}-{template_hash(stateful_set)}"
        ready = sum(ownership.is_ready(pod) for pod in pods)
        updated = sum(pod["metadata"]["labels"].get(REVISION) == revision for pod in pods)
        status = {
            "observedGeneration": stateful_set["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "currentReplicas": updated,
            "updatedReplicas": updated,
            "currentRevision": revision,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        self.objects.set_status(STATEFULSETS, stateful_set, status, ownership.MANAGER.manager)


def _ordinal(pod: Obj) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])
