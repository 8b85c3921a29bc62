"""ResourceQuota: refuses the pod (or object) that would exceed it, and keeps status.used."""

from collections.abc import Iterable
from decimal import Decimal

from functions.local.kubernetes import demand, ownership, quantities
from functions.local.kubernetes.errors import forbidden
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.resources import ALL, PODS, QUOTAS, Resource
from functions.local.kubernetes.store import Change, Key, Obj

COMPUTE = ("cpu", "memory", "ephemeral-storage")
COUNTED = {name: resource for resource in ALL for name in (f"count/{resource.key}", resource.plural)}


class Quotas(Reconciler):
    """Admission and status of all quotas. What a pod uses is freed when its object is gone or has ended."""

    def keys(self, change: Change) -> Iterable[Key]:
        namespace = change.obj["metadata"].get("namespace", "")
        if change.resource is QUOTAS:
            yield ownership.key_of(QUOTAS, change.obj)
        elif change.resource.namespaced and (change.kind != "MODIFIED" or change.resource is PODS):
            for quota in self.objects.store.all(QUOTAS, namespace):
                yield ownership.key_of(QUOTAS, quota)

    def reconcile(self, key: Key) -> float | None:
        quota = self.objects.store.get(QUOTAS, key.namespace, key.name)
        if quota is None:
            return None
        hard = quota["spec"].get("hard") or {}
        used = {name: quantities.show(self._used(key.namespace, name), binary=_binary(name)) for name in hard}
        self.objects.set_status(QUOTAS, quota, {"hard": hard, "used": used}, ownership.MANAGER.manager)
        return None

    def admit(self, resource: Resource, obj: Obj) -> None:
        """Raise 403 where a new object would exceed a quota, or says nothing about what a quota limits."""
        namespace = obj["metadata"].get("namespace", "")
        for quota in self.objects.store.all(QUOTAS, namespace) if namespace else ():
            self._admit(resource, obj, quota)

    def _admit(self, resource: Resource, obj: Obj, quota: Obj) -> None:
        hard = {name: quantities.parse(value) for name, value in (quota["spec"].get("hard") or {}).items()}
        wanted = {name: amount for name in hard if (amount := _wants(resource, obj, name)) is not None}
        name = quota["metadata"]["name"]
        if resource is PODS:
            _check_stated(obj, name, hard)
        namespace = obj["metadata"]["namespace"]
        used = {item: self._used(namespace, item) for item in wanted}
        over = sorted(item for item in wanted if used[item] + wanted[item] > hard[item] and wanted[item] > 0)
        if over:
            why = (
                f"exceeded quota: {name}, requested: {_listed(over, wanted)}, used: {_listed(over, used)}, "
                f"limited: {_listed(over, hard)}"
            )
            raise forbidden(resource, obj["metadata"]["name"], why)

    def _used(self, namespace: str, name: str) -> Decimal:
        counted = PODS if name == "pods" else COUNTED.get(name)
        total = Decimal(0)
        for obj in self.objects.store.all(counted or PODS, namespace):
            if counted in (None, PODS) and (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                continue
            total += _wants(counted or PODS, obj, name) or Decimal(0)
        return total


def _wants(resource: Resource, obj: Obj, name: str) -> Decimal | None:
    """How much of a quota's item an object takes; None: nothing to do with it."""
    if name in COUNTED:
        return Decimal(1) if COUNTED[name] == resource else None
    if resource is not PODS:
        return None
    if name.startswith("limits."):
        return demand.limits(obj).get(name.removeprefix("limits."), Decimal(0))
    return demand.requests(obj).get(name.removeprefix("requests."), Decimal(0))


def _check_stated(pod: Obj, quota: str, hard: dict[str, Decimal]) -> None:
    """Where CPU or memory is limited, every container must say how much it wants."""
    missing = set()
    for name in hard:
        kind, _, item = name.rpartition(".")
        if item not in COMPUTE:
            continue
        for container in pod["spec"].get("containers") or ():
            stated = (container.get("resources") or {}).get(kind or "requests") or {}
            if item not in stated:
                missing.add(f"{name} for: {container['name']}")
    if missing:
        why = f"failed quota: {quota}: must specify {'; '.join(sorted(missing))}"
        raise forbidden(PODS, pod["metadata"]["name"], why)


def _listed(names: list[str], amounts: dict[str, Decimal]) -> str:
    return ",".join(f"{name}={quantities.show(amounts[name], binary=_binary(name))}" for name in names)


def _binary(name: str) -> bool:
    return quantities.is_binary(name)
