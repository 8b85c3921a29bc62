"""Deployment -> ReplicaSets: a hash per pod template, rolling updates, and the conditions that KServe reads."""

import hashlib
import json
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from functions.local.kubernetes import clock, ownership
from functions.local.kubernetes.deletion import DeleteOptions, delete
from functions.local.kubernetes.deployment_status import report
from functions.local.kubernetes.objects import ALPHABET
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.resources import DEPLOYMENTS, REPLICASETS
from functions.local.kubernetes.store import Change, Key, Obj, copy

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


def template_hash(template: Obj) -> str:
    """Ten letters that depend on the template alone: the same one gives the same ReplicaSet name again."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:10])


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
        name = f"{key.name}-{template_hash(deployment['spec']['template'])}"
        status, again = report(deployment, replica_sets, name)
        self.objects.set_status(DEPLOYMENTS, deployment, status, ownership.MANAGER.manager)
        return again

    def _roll(self, deployment: Obj) -> None:
        name = f"{deployment['metadata']['name']}-{template_hash(deployment['spec']['template'])}"
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
        made = self.objects.create(REPLICASETS, deployment["metadata"]["namespace"], body, ownership.MANAGER)
        self._annotate(deployment, revision)
        message = f"Scaled up replica set {name} from 0 to {made['spec']['replicas']}"
        ownership.tell(self.objects, deployment, "Normal", "ScalingReplicaSet", message, "deployment-controller")
        return made

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


def bounds(deployment: Obj) -> tuple[int, int]:
    """(maxSurge rounded up, maxUnavailable rounded down) in pods; never both 0."""
    rolling = deployment["spec"]["strategy"].get("rollingUpdate") or {}
    wanted = deployment["spec"]["replicas"]
    surge = _share(rolling.get("maxSurge", "25%"), wanted, ROUND_CEILING)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, ROUND_FLOOR)
    return surge, (unavailable or (0 if surge else 1))


def _share(value: int | str, whole: int, rounding: str) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return int((Decimal(value[:-1]) * whole / 100).to_integral_value(rounding=rounding))
    return int(value)


def _replicas(replica_sets: list[Obj]) -> int:
    return sum(item["spec"]["replicas"] for item in replica_sets)


def _available(replica_set: Obj) -> int:
    return int(replica_set["status"].get("availableReplicas", 0))
