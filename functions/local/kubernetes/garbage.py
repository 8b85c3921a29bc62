"""The garbage collector: dependents go when their last owner is gone, in the background, in the foreground, or orphaned."""

from collections.abc import Iterable

from functions.local.kubernetes import ownership
from functions.local.kubernetes.deletion import FINALIZERS, DeleteOptions, delete, drop_finalizer
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.resources import BY_KIND
from functions.local.kubernetes.store import Change, Key, Obj

MANAGER = ownership.MANAGER
FOREGROUND, ORPHAN = FINALIZERS["Foreground"], FINALIZERS["Orphan"]


class GarbageCollector(Reconciler):
    """Looks at every object that has owners, or that waits for its dependents."""

    def keys(self, change: Change) -> Iterable[Key]:
        meta = change.obj["metadata"]
        if change.kind == "DELETED":
            yield from self.objects.store.dependents(meta["uid"])
            yield from _owners(change.obj)
        elif meta.get("ownerReferences") or (meta.get("deletionTimestamp") and meta.get("finalizers")):
            yield ownership.key_of(change.resource, change.obj)

    def reconcile(self, key: Key) -> float | None:
        obj = self.objects.store.get(key.resource, key.namespace, key.name)
        if obj is None:
            return None
        if obj["metadata"].get("deletionTimestamp"):
            self._finish(key, obj)
        elif obj["metadata"].get("ownerReferences"):
            self._collect(key, obj)
        return None

    def _collect(self, key: Key, obj: Obj) -> None:
        references = obj["metadata"]["ownerReferences"]
        owners = [self._owner(key, reference) for reference in references]
        live = [owner for owner in owners if owner is not None]
        waiting = [owner for owner in live if FOREGROUND in owner["metadata"].get("finalizers", ())]
        if live and len(waiting) < len(live):
            return
        policy = "Foreground" if waiting and self.objects.store.dependents(obj["metadata"]["uid"]) else ""
        options = DeleteOptions(uid=obj["metadata"]["uid"], propagation=policy)
        delete(self.objects, key.resource, key.namespace, key.name, options)

    def _owner(self, key: Key, reference: Obj) -> Obj | None:
        """The live owner; an object of that name with another uid is not the owner."""
        resource = BY_KIND.get((reference["apiVersion"].rpartition("/")[0], reference["kind"]))
        if resource is None:
            return None
        namespace = key.namespace if resource.namespaced else ""
        owner = self.objects.store.get(resource, namespace, reference["name"])
        return owner if owner and owner["metadata"]["uid"] == reference["uid"] else None

    def _finish(self, key: Key, obj: Obj) -> None:
        finalizers = obj["metadata"].get("finalizers", ())
        dependents = self.objects.store.dependents(obj["metadata"]["uid"])
        if ORPHAN in finalizers:
            for dependent in dependents:
                self._let_go(dependent, obj["metadata"]["uid"])
            drop_finalizer(self.objects, key.resource, obj, ORPHAN, MANAGER.manager)
        elif FOREGROUND in finalizers and not dependents:
            drop_finalizer(self.objects, key.resource, obj, FOREGROUND, MANAGER.manager)
        elif FOREGROUND in finalizers:
            for dependent in dependents:
                self.add(dependent)

    def _let_go(self, key: Key, uid: str) -> None:
        def change(obj: Obj) -> Obj:
            references = obj["metadata"]["ownerReferences"]
            obj["metadata"]["ownerReferences"] = [item for item in references if item["uid"] != uid]
            return obj

        self.objects.update(key.resource, key.namespace, key.name, change, MANAGER)


def _owners(obj: Obj) -> Iterable[Key]:
    """Owners that may wait for this one to be gone."""
    for reference in obj["metadata"].get("ownerReferences", ()):
        resource = BY_KIND.get((reference["apiVersion"].rpartition("/")[0], reference["kind"]))
        if resource:
            namespace = obj["metadata"].get("namespace", "") if resource.namespaced else ""
            yield Key(resource, namespace, reference["name"])
