"""DELETE by the API server's rules: grace, preconditions, propagation, finalizers. It kills no process: see kubelet.py."""

from dataclasses import dataclass

from functions.local.kubernetes import clock
from functions.local.kubernetes.errors import precondition
from functions.local.kubernetes.managed_fields import Actor
from functions.local.kubernetes.objects import Objects, finished
from functions.local.kubernetes.resources import NAMESPACES, PODS, Resource
from functions.local.kubernetes.store import Obj, copy

FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


@dataclass(frozen=True)
class DeleteOptions:
    """What a DELETE asks for. Grace in seconds, None: the object's own."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def delete(objects: Objects, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> tuple[Obj, bool]:
    """(the object afterwards, whether it is gone); raises 404, or 409 for a precondition that does not hold."""
    before = objects.get(resource, namespace, name)
    _check(resource, before, options)
    after = copy(before)
    if not _mark(resource, after, options):
        return before, False
    if options.dry_run:
        return after, finished(resource, after)
    if finished(resource, after):
        return objects.store.remove(resource, after), True
    return objects.store.write(resource, after), False


def _check(resource: Resource, obj: Obj, options: DeleteOptions) -> None:
    meta = obj["metadata"]
    if options.uid and options.uid != meta["uid"]:
        hint = "deleted and then recreated"
        raise precondition(resource, meta["name"], "UID", (options.uid, meta["uid"]), hint)
    version = options.resource_version
    if version and version != meta["resourceVersion"]:
        raise precondition(resource, meta["name"], "ResourceVersion", (version, meta["resourceVersion"]), "modified")


def _mark(resource: Resource, obj: Obj, options: DeleteOptions) -> bool:
    """Set deletionTimestamp (for a pod: when its grace ends) and what belongs to it; False: nothing to change."""
    meta = obj["metadata"]
    if meta.get("deletionTimestamp"):
        return _shorten(meta, options.grace)
    grace = _grace(resource, obj, options)
    meta["deletionTimestamp"] = clock.after(grace)
    if resource is not NAMESPACES:
        meta["deletionGracePeriodSeconds"] = grace
    else:
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
    if meta.get("generation"):
        meta["generation"] += 1
    finalizer = FINALIZERS.get(options.propagation)
    if finalizer and finalizer not in meta.get("finalizers", ()):
        meta["finalizers"] = [*meta.get("finalizers", ()), finalizer]
    return True


def _shorten(meta: Obj, grace: int | None) -> bool:
    """A second DELETE can only shorten the grace that the object shows."""
    shown = meta.get("deletionGracePeriodSeconds")
    if grace is None or shown is None or grace >= shown:
        return False
    meta["deletionTimestamp"] = clock.shift(meta["deletionTimestamp"], grace - shown)
    meta["deletionGracePeriodSeconds"] = grace
    return True


def _grace(resource: Resource, obj: Obj, options: DeleteOptions) -> int:
    """Only a pod that is on a node and has not ended yet gets any."""
    if resource is not PODS or not obj["spec"].get("nodeName"):
        return 0
    if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace is not None:
        return max(options.grace, 0)
    own = obj["spec"].get("terminationGracePeriodSeconds")
    return 30 if own is None else max(own, 0)


def drop_finalizer(objects: Objects, resource: Resource, obj: Obj, finalizer: str, manager: str) -> None:
    """Take one finalizer away; the object goes if it was the last thing waited for."""

    def without(old: Obj) -> Obj:
        left = [item for item in old["metadata"].get("finalizers", ()) if item != finalizer]
        old["metadata"]["finalizers"] = left
        return old

    meta = obj["metadata"]
    objects.update(resource, meta.get("namespace", ""), meta["name"], without, Actor(manager))
