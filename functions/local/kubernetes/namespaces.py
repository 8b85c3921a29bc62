"""Namespaces: a ServiceAccount in each, and a deleted one takes all that is in it along."""

from collections.abc import Iterable

from functions.local.kubernetes.deletion import DeleteOptions, delete
from functions.local.kubernetes.ownership import MANAGER, key_of
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.resources import ALL, NAMESPACES, PODS, SERVICE_ACCOUNTS
from functions.local.kubernetes.store import Change, Key

ORDER = (PODS, *(resource for resource in ALL if resource.namespaced and resource is not PODS))


class Namespaces(Reconciler):
    """The namespace controller."""

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource is NAMESPACES:
            yield key_of(NAMESPACES, change.obj)
        elif change.kind == "DELETED" and change.resource.namespaced:
            yield Key(NAMESPACES, "", change.obj["metadata"]["namespace"])

    def reconcile(self, key: Key) -> float | None:
        namespace = self.objects.store.get(NAMESPACES, "", key.name)
        if namespace is None:
            return None
        if namespace["metadata"].get("deletionTimestamp"):
            self._empty(key.name)
        elif not self.objects.store.get(SERVICE_ACCOUNTS, key.name, "default"):
            self.objects.create(SERVICE_ACCOUNTS, key.name, {"metadata": {"name": "default"}}, MANAGER)
        return None

    def _empty(self, name: str) -> None:
        """Delete what is there; the namespace goes with the last of it."""
        left = False
        for resource in ORDER:
            for obj in list(self.objects.store.all(resource, name)):
                _, gone = delete(self.objects, resource, name, obj["metadata"]["name"], DeleteOptions())
                left = left or not gone
        if not left:
            self.objects.store.remove(NAMESPACES, self.objects.get(NAMESPACES, "", name))
