"""The verbs on objects, from a parsed request to the answer's JSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from functions.local.kubernetes import lists, patches, protobuf, selectors, tables
from functions.local.kubernetes.deletion import DeleteOptions, delete
from functions.local.kubernetes.errors import ApiError, bad_request, invalid
from functions.local.kubernetes.identities import Identity
from functions.local.kubernetes.managed_fields import Actor
from functions.local.kubernetes.objects import Objects
from functions.local.kubernetes.query import Query, Target, read
from functions.local.kubernetes.store import Obj, dump


@dataclass(frozen=True)
class Call:
    """One request on objects, its URL understood and its sender known."""

    verb: str
    target: Target
    params: Mapping[str, str]
    content_type: str
    agent: str
    body: bytes
    identity: Identity
    table: bool = False

    @property
    def manager(self) -> str:
        """The field manager: named in the query, or the first part of the User-Agent."""
        return self.params.get("fieldManager") or self.agent.partition("/")[0].partition(" ")[0] or "unknown"

    @property
    def actor(self) -> Actor:
        applies = self.content_type.partition(";")[0] in patches.APPLY_TYPES
        subresource = self.target.subresource if self.target.subresource in {"status", "scale"} else ""
        return Actor(self.manager, "Apply" if applies else "Update", subresource)

    @property
    def dry_run(self) -> bool:
        return self.params.get("dryRun") == "All"

    def query(self) -> Query:
        return read(self.target, self.params, table=self.table)


@dataclass(frozen=True)
class Answer:
    """An HTTP code and the JSON that goes with it."""

    code: int
    body: bytes


def perform(objects: Objects, call: Call) -> Answer:
    """Do it; raises ApiError."""
    if call.target.subresource == "scale":
        return _scale(objects, call)
    return PERFORM[call.verb](objects, call)


def _shown(call: Call, obj: Obj, code: int = 200) -> Answer:
    return Answer(code, lists.as_version(call.target.resource, call.target.version, obj))


def _get(objects: Objects, call: Call) -> Answer:
    target = call.target
    found = objects.get(target.resource, target.namespace, target.name)
    if call.table:
        return Answer(200, dump(tables.table(target.resource, [found], {})))
    return _shown(call, found)


def _list(objects: Objects, call: Call) -> Answer:
    return Answer(200, lists.page(objects.store, call.query()))


def _create(objects: Objects, call: Call) -> Answer:
    target, body = call.target, _body(call)
    kind = body.get("kind") or target.resource.kind
    if kind != target.resource.kind:
        message = f'Invalid value: "{kind}": must be {target.resource.kind}'
        raise invalid(target.resource, (body.get("metadata") or {}).get("name", ""), "kind", message)
    made = objects.create(target.resource, target.namespace, body, call.actor, dry_run=call.dry_run)
    return _shown(call, made, 201)


def _update(objects: Objects, call: Call) -> Answer:
    body = _body(call)
    return _shown(call, _change(objects, call, lambda _: body, replace=True))


def _patch(objects: Objects, call: Call) -> Answer:
    target = call.target
    change = patches.reader(call.content_type, call.body, target.resource)
    if call.actor.operation != "Apply":
        return _shown(call, _change(objects, call, change))
    if not call.params.get("fieldManager"):
        raise bad_request("fieldManager: Required value: is required for apply patch")
    applied = change({})
    if objects.store.get(target.resource, target.namespace, target.name):
        return _shown(call, _change(objects, call, change, applied=applied))
    applied.setdefault("metadata", {})["name"] = target.name
    made = objects.create(target.resource, target.namespace, applied, call.actor, dry_run=call.dry_run)
    return _shown(call, made, 201)


def _change(
    objects: Objects,
    call: Call,
    change: Callable[[Obj], Obj],
    *,
    replace: bool = False,
    applied: Obj | None = None,
) -> Obj:
    target = call.target
    return objects.update(
        target.resource,
        target.namespace,
        target.name,
        change,
        call.actor,
        replace=replace,
        applied=applied,
        dry_run=call.dry_run,
    )


def _delete(objects: Objects, call: Call) -> Answer:
    target = call.target
    last, gone = delete(objects, target.resource, target.namespace, target.name, _options(call))
    if not gone or target.resource.returns_deleted:
        return _shown(call, last)
    details = {"name": target.name, "group": target.resource.group, "kind": target.resource.plural}
    details["uid"] = last["metadata"]["uid"]
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return Answer(200, dump(status))


def _delete_collection(objects: Objects, call: Call) -> Answer:
    query, options = call.query(), _options(call)
    page = lists.page(objects.store, query)
    resource = call.target.resource
    for obj in [obj for obj in objects.store.all(resource, call.target.namespace) if query.match(obj)]:
        meta = obj["metadata"]
        delete(objects, resource, meta.get("namespace", ""), meta["name"], options)
    return Answer(200, page)


def _options(call: Call) -> DeleteOptions:
    body = _body(call) if call.body.strip() else {}
    conditions = body.get("preconditions") or {}
    grace: Any = body.get("gracePeriodSeconds", call.params.get("gracePeriodSeconds"))
    orphan = body.get("orphanDependents") or call.params.get("orphanDependents") == "true"
    try:
        seconds = None if grace is None else int(grace)
    except ValueError as error:
        raise bad_request(f"gracePeriodSeconds: got {grace!r}, expected whole seconds") from error
    return DeleteOptions(
        grace=seconds,
        propagation=body.get("propagationPolicy")
        or call.params.get("propagationPolicy")
        or ("Orphan" if orphan else ""),
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
        dry_run=call.dry_run or bool(body.get("dryRun")),
    )


def _scale(objects: Objects, call: Call) -> Answer:
    """GET, PUT and PATCH of autoscaling/v1 Scale, which shows and sets spec.replicas."""
    target = call.target
    found = objects.get(target.resource, target.namespace, target.name)
    if call.verb == "get":
        return Answer(200, dump(_scale_of(found)))
    if call.verb == "update":
        wanted = _body(call)
    else:
        wanted = patches.reader(call.content_type, call.body, target.resource)(_scale_of(found))
    version = (wanted.get("metadata") or {}).get("resourceVersion")

    def change(obj: Obj) -> Obj:
        obj["spec"]["replicas"] = int((wanted.get("spec") or {}).get("replicas", 0))
        obj["metadata"]["resourceVersion"] = version
        return obj

    return Answer(200, dump(_scale_of(_change(objects, call, change))))


def _scale_of(obj: Obj) -> Obj:
    meta = {
        name: obj["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": obj["spec"].get("replicas", 1)},
        "status": {
            "replicas": (obj.get("status") or {}).get("replicas", 0),
            "selector": selectors.show(obj["spec"].get("selector") or {}),
        },
    }


def _body(call: Call) -> Obj:
    if protobuf.MEDIA_TYPE in call.content_type:
        return protobuf.read(call.body)
    try:
        body = yaml.safe_load(call.body) if "yaml" in call.content_type else json.loads(call.body)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        kind = call.target.resource.kind
        message = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; {error}"
        raise bad_request(message) from error
    if not isinstance(body, dict):
        raise bad_request(f"got {type(body).__name__}, expected an object of kind {call.target.resource.kind}")
    return body


def not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


PERFORM = {
    "get": _get,
    "list": _list,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
}
