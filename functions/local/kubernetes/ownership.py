"""Who belongs to whom: controllers and the pods and ReplicaSets that they made."""

from collections.abc import Iterable

from functions.local.kubernetes import clock
from functions.local.kubernetes.errors import ApiError
from functions.local.kubernetes.managed_fields import Actor
from functions.local.kubernetes.objects import Objects, suffix
from functions.local.kubernetes.resources import BY_KIND, EVENTS, PODS, Resource
from functions.local.kubernetes.store import Change, Key, Obj, copy

MANAGER = Actor("kube-controller-manager")


def key_of(resource: Resource, obj: Obj) -> Key:
    return Key(resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def reference(owner: Obj) -> Obj:
    """The owner reference of a controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owner_key(obj: Obj) -> Key | None:
    """The controller of an object, if it has one of a known kind."""
    for owner in obj["metadata"].get("ownerReferences", ()):
        resource = BY_KIND.get((owner["apiVersion"].rpartition("/")[0], owner["kind"]))
        if owner.get("controller") and resource:
            return Key(resource, obj["metadata"].get("namespace", ""), owner["name"])
    return None


def self_and_owner(change: Change, owned: Resource, owner: Resource) -> Iterable[Key]:
    """For a controller of `owner`s that makes `owned`s: the owner to look at after a change of either."""
    if change.resource is owner:
        yield key_of(owner, change.obj)
    elif change.resource is owned:
        key = owner_key(change.obj)
        if key and key.resource is owner:
            yield key


def owned_by(objects: Objects, owner: Obj, resource: Resource) -> list[Obj]:
    """The objects of one type that this very owner controls, oldest first."""
    found = []
    for key in objects.store.dependents(owner["metadata"]["uid"]):
        obj = objects.store.get(key.resource, key.namespace, key.name) if key.resource is resource else None
        if obj:
            found.append(obj)
    return sorted(found, key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]))


def release(objects: Objects, owner: Obj, obj: Obj) -> None:
    """Take the owner's reference off a pod that its selector no longer finds."""
    meta = obj["metadata"]

    def change(found: Obj) -> Obj:
        others = [one for one in found["metadata"].get("ownerReferences", ()) if one["uid"] != owner["metadata"]["uid"]]
        found["metadata"]["ownerReferences"] = others
        return found

    objects.update(PODS, meta["namespace"], meta["name"], change, MANAGER)


def is_active(pod: Obj) -> bool:
    """Counts as a replica: neither ended nor ending."""
    return not pod["metadata"].get("deletionTimestamp") and pod["status"].get("phase") not in ("Succeeded", "Failed")


def condition(obj: Obj, kind: str) -> Obj | None:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item["type"] == kind), None)


def is_ready(pod: Obj) -> bool:
    ready = condition(pod, "Ready")
    return bool(ready and ready["status"] == "True")


def make_pod(objects: Objects, owner: Obj, name: str, labels: Obj | None = None) -> Obj:
    """Create a pod from a workload's template; raises ApiError (403 over quota)."""
    template = copy(owner["spec"]["template"])
    meta = template.get("metadata") or {}
    pod: Obj = {
        "metadata": {
            "name": name,
            "labels": {**(meta.get("labels") or {}), **(labels or {})},
            "annotations": dict(meta.get("annotations") or {}),
            "ownerReferences": [reference(owner)],
        },
        "spec": template["spec"],
    }
    if not pod["metadata"]["annotations"]:
        del pod["metadata"]["annotations"]
    return objects.create(PODS, owner["metadata"]["namespace"], pod, MANAGER)


def tell(objects: Objects, about: Obj, reason: str, message: str, component: str) -> None:
    """Write a Kubernetes Event, a warning where the reason says that something failed; a namespace that goes away takes none."""
    meta = about["metadata"]
    involved = {
        "apiVersion": about["apiVersion"],
        "kind": about["kind"],
        "name": meta["name"],
        "namespace": meta.get("namespace", "default"),
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }
    event = {
        "metadata": {"name": f"{meta['name']}.{suffix()}{suffix()}"},
        "involvedObject": involved,
        "type": "Warning" if reason.startswith("Failed") else "Normal",
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "reportingComponent": component,
        "count": 1,
        "firstTimestamp": clock.now(),
    }
    try:
        objects.create(EVENTS, involved["namespace"], event, Actor(component))
    except ApiError as error:
        if error.code not in (403, 404):
            raise
