"""Creating, changing and removing objects by the API server's rules. The HTTP side and the controllers both use this."""

import secrets
import uuid
from collections.abc import Callable

from functions.local.kubernetes import clock, defaults, validation
from functions.local.kubernetes.errors import (
    already_exists,
    bad_request,
    forbidden,
    invalid,
    modified,
    not_found,
    precondition,
)
from functions.local.kubernetes.managed_fields import Actor, record
from functions.local.kubernetes.resources import NAMESPACES, PODS, Resource
from functions.local.kubernetes.store import Obj, Store, copy

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters of generated names: no vowels, so no words."""
SERVER_SET = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


def suffix() -> str:
    """Five letters for a generated name."""
    return "".join(secrets.choice(ALPHABET) for _ in range(5))


class Objects:
    """The write path over a store. `admissions` see every new object and may refuse it by raising ApiError."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.admissions: list[Callable[[Resource, Obj], None]] = []

    def get(self, resource: Resource, namespace: str, name: str) -> Obj:
        """The stored object (do not change it); raises 404."""
        found = self.store.get(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def create(self, resource: Resource, namespace: str, body: Obj, actor: Actor, *, dry_run: bool = False) -> Obj:
        """Store a new object (`body` is taken over); raises 400, 403, 404 (namespace), 409 or 422."""
        meta = body.setdefault("metadata", {})
        if resource.namespaced:
            self._check_namespace(resource, namespace, body)
            meta["namespace"] = namespace
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + suffix()
        for name in (*SERVER_SET, "resourceVersion", "managedFields", "selfLink"):
            meta.pop(name, None)
        body["apiVersion"], body["kind"] = resource.api_version(), resource.kind
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": clock.now()}
        if resource.generation:
            meta["generation"] = 1
        validation.check(resource, body)
        defaults.apply(resource, body)
        if resource.status:
            body.pop("status", None)
            status = defaults.initial_status(resource, body)
            body |= {"status": status} if status is not None else {}
        if self.store.get(resource, meta.get("namespace", ""), meta["name"]):
            raise already_exists(resource, meta["name"])
        for admit in self.admissions:
            admit(resource, body)
        stated = {key: value for key, value in body.items() if key != "status"}
        meta["managedFields"] = record(None, stated, actor)
        return body if dry_run else self.store.write(resource, body)

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Callable[[Obj], Obj],
        actor: Actor,
        *,
        replace: bool = False,
        applied: Obj | None = None,
        dry_run: bool = False,
    ) -> Obj:
        """Change an object: `change` gets a copy and answers the object wanted; raises 404, 409 or 422.

        A change that changes nothing writes nothing. `replace`: the change is a whole new object (PUT).
        """
        before = self.get(resource, namespace, name)
        after = change(copy(before))
        self._check_identity(resource, before, after, replace=replace)
        _keep_server_set(resource, before, after)
        if resource.status:
            after = _confine(resource, before, after, actor.subresource)
        if actor.subresource != "status":
            validation.check(resource, after)
            validation.check_finalizers(resource, before["metadata"], after["metadata"])
            defaults.apply(resource, after)
        if after == before:
            return before
        if resource.generation and actor.subresource != "status" and _spec_differs(resource, before, after):
            after["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
        after["metadata"]["managedFields"] = record(before, after, actor, applied)
        if dry_run:
            return after
        if finished(resource, after):
            self.store.remove(resource, after)
            return after
        return self.store.write(resource, after)

    def set_status(self, resource: Resource, obj: Obj, status: Obj, manager: str) -> Obj:
        """Write an object's status the way a controller does."""
        meta = obj["metadata"]
        actor = Actor(manager, subresource="status")
        namespace = meta.get("namespace", "")
        return self.update(resource, namespace, meta["name"], lambda old: {**old, "status": status}, actor)

    def _check_namespace(self, resource: Resource, namespace: str, body: Obj) -> None:
        if body["metadata"].get("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        found = self.get(NAMESPACES, "", namespace)
        if found["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(resource, body["metadata"].get("name", ""), why)

    def _check_identity(self, resource: Resource, before: Obj, after: Obj, *, replace: bool) -> None:
        old, new = before["metadata"], after.setdefault("metadata", {})
        name, uid, version = old["name"], new.get("uid"), new.get("resourceVersion")
        if new.get("name", name) != name:
            raise bad_request(f"the name of the object ({new['name']}) does not match the name on the URL ({name})")
        if uid and uid != old["uid"] and replace:
            raise precondition(resource, name, "UID", (uid, old["uid"]), "deleted and then recreated")
        if uid and uid != old["uid"]:
            raise invalid(resource, name, "metadata.uid", f'Invalid value: "{uid}": field is immutable')
        if not version and replace and resource.custom:
            message = "Invalid value: 0: must be specified for an update"
            raise invalid(resource, name, "metadata.resourceVersion", message)
        if version and version != old["resourceVersion"]:
            raise modified(resource, name)


def finished(resource: Resource, obj: Obj) -> bool:
    """Whether an object that is being deleted has nothing left to wait for (a kubelet, finalizers)."""
    meta = obj["metadata"]
    waits = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds") or resource is NAMESPACES
    return bool(meta.get("deletionTimestamp")) and not waits


def _keep_server_set(resource: Resource, before: Obj, after: Obj) -> None:
    old, new = before["metadata"], after["metadata"]
    for name in SERVER_SET:
        new.pop(name, None)
        if name in old:
            new[name] = old[name]
    for name in ("name", "namespace", "resourceVersion", "managedFields", "generateName"):
        if name in old:
            new[name] = old[name]
    for name in ("finalizers", "labels", "annotations", "ownerReferences"):
        if not new.get(name):
            new.pop(name, None)
    after["apiVersion"], after["kind"] = resource.api_version(), resource.kind


def _confine(resource: Resource, before: Obj, after: Obj, subresource: str) -> Obj:
    """The main resource can't write status; /status writes nothing else, but for a pod its labels and annotations."""
    kept, source = (before, after) if subresource == "status" else (after, before)
    result = {key: value for key, value in kept.items() if key != "status"}
    result["metadata"] = dict(kept["metadata"])
    if resource is PODS and subresource == "status":
        for name in ("labels", "annotations"):
            result["metadata"].pop(name, None)
            result["metadata"] |= {name: after["metadata"][name]} if name in after["metadata"] else {}
    return result | ({"status": source["status"]} if source.get("status") is not None else {})


def _spec_differs(resource: Resource, before: Obj, after: Obj) -> bool:
    outside = {"metadata", "status"} if resource.status else {"metadata"}
    members = (before.keys() | after.keys()) - outside
    return any(before.get(member) != after.get(member) for member in members)
