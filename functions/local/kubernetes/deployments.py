"""Deployment -> ReplicaSets: a hash per pod template, rolling updates, and the conditions that KServe reads."""

from collections.abc import Iterable

from functions.local.kubernetes import ownership
from functions.local.kubernetes.deletion import DeleteOptions, delete
from functions.local.kubernetes.deployment_status import report
from functions.local.kubernetes.errors import ApiError
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.resources import DEPLOYMENTS, REPLICASETS
from functions.local.kubernetes.rollout import bounds, replica_set_name
from functions.local.kubernetes.store import Change, Key, Obj, copy

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


class Deployments(Reconciler):
    """The Deployment controller."""

    def keys(self, change: Change) -> Iterable[Key]:
        return ownership.self_and_owner(change, REPLICASETS, DEPLOYMENTS)

    def reconcile(self, key: Key) -> float | None:
        deployment = self.objects.store.get(DEPLOYMENTS, key.namespace, key.name)
        if deployment is None:
            return None
        if not deployment["metadata"].get("deletionTimestamp"):
            self._roll(deployment)
        deployment = self.objects.get(DEPLOYMENTS, key.namespace, key.name)
        replica_sets = ownership.owned_by(self.objects, deployment, REPLICASETS)
        status, again = report(deployment, replica_sets, replica_set_name(deployment))
        self.objects.set_status(DEPLOYMENTS, deployment, status, ownership.MANAGER.manager)
        return again

    def _roll(self, deployment: Obj) -> None:
        name = replica_set_name(deployment)
        every = ownership.owned_by(self.objects, deployment, REPLICASETS)
        old = [item for item in every if item["metadata"]["name"] != name]
        new = next((item for item in every if item["metadata"]["name"] == name), None)
        if new is None:
            new = self._new_replica_set(deployment, name, old)
        wanted = deployment["spec"]["replicas"]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate(new, old, wanted)
        else:
            self._rolling_update(deployment, new, old)
        self._forget(deployment, old)

    def _new_replica_set(self, deployment: Obj, name: str, old: list[Obj]) -> Obj:
        revision = 1 + max((int(item["metadata"]["annotations"].get(REVISION, 0)) for item in old), default=0)
        template = copy(deployment["spec"]["template"])
        chosen = name.rpartition("-")[2]
        template["metadata"] = template.get("metadata") or {}
        labels = template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), HASH: chosen}
        selector = copy(deployment["spec"]["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: chosen}
        surge, _ = bounds(deployment)
        count = min(deployment["spec"]["replicas"], deployment["spec"]["replicas"] + surge - _replicas(old))
        body = {
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {REVISION: str(revision)},
                "ownerReferences": [ownership.reference(deployment)],
            },
            "spec": {"replicas": max(count, 0), "selector": selector, "template": template},
        }
        if deployment["spec"]["strategy"]["type"] == "Recreate" and _replicas(old):
            body["spec"]["replicas"] = 0
        made = self._create(deployment, body)
        self._annotate(deployment, revision)
        message = f"Scaled up replica set {name} from 0 to {made['spec']['replicas']}"
        ownership.tell(self.objects, deployment, "ScalingReplicaSet", message, "deployment-controller")
        return made

    def _create(self, deployment: Obj, body: Obj) -> Obj:
        """A name taken by a ReplicaSet of another owner (such as a Deployment deleted before) means another hash."""
        try:
            return self.objects.create(REPLICASETS, deployment["metadata"]["namespace"], body, ownership.MANAGER)
        except ApiError as error:
            if error.code == 409:
                status = deployment.get("status") or {}
                collided = {**status, "collisionCount": status.get("collisionCount", 0) + 1}
                self.objects.set_status(DEPLOYMENTS, deployment, collided, ownership.MANAGER.manager)
            raise

    def _annotate(self, deployment: Obj, revision: int) -> None:
        def change(obj: Obj) -> Obj:
            obj["metadata"]["annotations"] = {**obj["metadata"].get("annotations", {}), REVISION: str(revision)}
            return obj

        meta = deployment["metadata"]
        self.objects.update(DEPLOYMENTS, meta["namespace"], meta["name"], change, ownership.MANAGER)

    def _recreate(self, new: Obj, old: list[Obj], wanted: int) -> None:
        for item in old:
            self._scale(item, 0)
        if not any(item["status"].get("replicas") or item["status"].get("terminatingReplicas") for item in old):
            self._scale(new, wanted)

    def _rolling_update(self, deployment: Obj, new: Obj, old: list[Obj]) -> None:
        wanted = deployment["spec"]["replicas"]
        surge, unavailable = bounds(deployment)
        if not _replicas(old) or new["spec"]["replicas"] > wanted:
            new = self._scale(new, wanted)
        room = wanted + surge - _replicas([new, *old])
        if room > 0 and new["spec"]["replicas"] < wanted:
            new = self._scale(new, min(new["spec"]["replicas"] + room, wanted))
        missing = new["spec"]["replicas"] - _available(new)
        spare = _replicas([new, *old]) - (wanted - unavailable) - missing
        old, spare = self._drop_unhealthy(old, spare)
        healthy = min(spare, _available(new) + sum(map(_available, old)) - (wanted - unavailable))
        for item in old:
            cut = min(item["spec"]["replicas"], max(healthy, 0))
            self._scale(item, item["spec"]["replicas"] - cut)
            healthy -= cut

    def _drop_unhealthy(self, old: list[Obj], spare: int) -> tuple[list[Obj], int]:
        """Replicas of old templates that do not run go first."""
        left = []
        for item in old:
            cut = min(item["spec"]["replicas"] - _available(item), max(spare, 0))
            left.append(self._scale(item, item["spec"]["replicas"] - cut))
            spare -= cut
        return left, spare

    def _scale(self, replica_set: Obj, count: int) -> Obj:
        meta = replica_set["metadata"]
        if replica_set["spec"]["replicas"] == count or meta.get("deletionTimestamp"):
            return replica_set

        def change(obj: Obj) -> Obj:
            obj["spec"]["replicas"] = count
            return obj

        return self.objects.update(REPLICASETS, meta["namespace"], meta["name"], change, ownership.MANAGER)

    def _forget(self, deployment: Obj, old: list[Obj]) -> None:
        empty = [item for item in old if not item["spec"]["replicas"] and not item["status"].get("replicas")]
        surplus = len(empty) - deployment["spec"]["revisionHistoryLimit"]
        for item in empty[: max(surplus, 0)]:
            delete(self.objects, REPLICASETS, item["metadata"]["namespace"], item["metadata"]["name"], DeleteOptions())


def _replicas(replica_sets: list[Obj]) -> int:
    return sum(item["spec"]["replicas"] for item in replica_sets)


def _available(replica_set: Obj) -> int:
    return int(replica_set["status"].get("availableReplicas", 0))
