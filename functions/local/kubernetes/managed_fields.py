"""metadata.managedFields: who changed which field, so that a reader can say who set an annotation.

Lists count as one field (the real API server looks into lists with merge keys), finalizers excepted.
"""

from dataclasses import dataclass
from typing import Any

from functions.local.kubernetes import clock
from functions.local.kubernetes.store import Obj

Fields = dict[str, Any]
UNOWNED = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""Members of metadata that the server sets."""
_REPLICAS: Fields = {"f:spec": {"f:replicas": {}}}


@dataclass(frozen=True)
class Actor:
    """Who writes: the field manager, how, and through which subresource ("", "status" or "scale")."""

    manager: str
    operation: str = "Update"
    subresource: str = ""


def record(before: Obj | None, after: Obj, actor: Actor, applied: Obj | None = None) -> list[Obj]:
    """The entries after a change. `applied`: what a server-side apply sent, all of which its manager then owns."""
    changed, removed = _differences(_owned_part(before or {}), _owned_part(after))
    if actor.subresource == "scale" and after["spec"].get("replicas") == 0:
        changed, removed = (
            _without(changed, _REPLICAS),
            _join(removed, _REPLICAS),
        )  # a Scale leaves 0 out, so it owns nothing
    if applied is not None:
        changed = _join(changed, _leaves(_owned_part(applied)))
    entries: list[Obj] = []
    mine: Fields = {}
    for entry in (before or {}).get("metadata", {}).get("managedFields", ()):
        fields = _without(entry["fieldsV1"], removed)
        if _is(entry, actor, after["apiVersion"]):
            mine = fields
            if mine == entry["fieldsV1"] == _join(mine, changed):
                entries.append(entry)
            continue
        if actor.operation != "Apply":
            fields = _without(fields, changed)
        if fields:
            entries.append(entry if fields == entry["fieldsV1"] else {**entry, "fieldsV1": fields})
    own = _join(mine, changed)
    if own and not any(_is(entry, actor, after["apiVersion"]) for entry in entries):
        entries.append(_entry(own, actor, after["apiVersion"]))
    return entries


def _entry(fields: Fields, actor: Actor, api_version: str) -> Obj:
    entry = {
        "manager": actor.manager,
        "operation": actor.operation,
        "apiVersion": api_version,
        "time": clock.now(),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return entry | ({"subresource": actor.subresource} if actor.subresource else {})


def _is(entry: Obj, actor: Actor, api_version: str) -> bool:
    mine = (actor.manager, actor.operation, actor.subresource, api_version)
    return (entry["manager"], entry["operation"], entry.get("subresource", ""), entry["apiVersion"]) == mine


def _owned_part(obj: Obj) -> Obj:
    part = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    meta = {key: value for key, value in obj.get("metadata", {}).items() if key not in UNOWNED}
    return part | ({"metadata": meta} if meta else {})


def _leaves(value: Any) -> Fields:
    """All fields of a value: maps are entered (and owned themselves: "."), anything else is one field."""
    if not isinstance(value, dict) or not value:
        return {}
    return {f"f:{key}": _children(key, child) for key, child in value.items()}


def _children(key: str, value: Any) -> Fields:
    if key == "finalizers" and isinstance(value, list):
        return {".": {}} | {f'v:"{item}"': {} for item in value}
    if isinstance(value, dict) and value:
        leaves = _leaves(value)
        return leaves if key == "metadata" else {".": {}} | leaves
    return {}


def _differences(before: Obj, after: Obj) -> tuple[Fields, Fields]:
    """(added or changed, removed), each as a tree of fields."""
    changed: Fields = {}
    removed: Fields = {}
    for key, value in after.items():
        old = before.get(key)
        if key not in before:
            changed[f"f:{key}"] = _children(key, value)
        elif old == value:
            continue
        elif isinstance(old, dict) and isinstance(value, dict) and old and value:
            inner, gone = _differences(old, value)
            changed |= {f"f:{key}": inner} if inner else {}
            removed |= {f"f:{key}": gone} if gone else {}
        elif key == "finalizers" and isinstance(old, list):
            new: Fields = {f'v:"{item}"': {} for item in value if item not in old}
            lost: Fields = {f'v:"{item}"': {} for item in old if item not in value}
            changed |= {f"f:{key}": new} if new else {}
            removed |= {f"f:{key}": lost} if lost else {}
        else:
            changed[f"f:{key}"] = _children(key, value)
    for key in before.keys() - after.keys():
        removed[f"f:{key}"] = {}
    return changed, removed


def _join(left: Fields, right: Fields) -> Fields:
    joined = dict(left)
    for key, value in right.items():
        joined[key] = _join(left.get(key, {}), value)
    return joined


def _without(fields: Fields, gone: Fields) -> Fields:
    """`fields` less `gone`; a leaf of `gone` takes its whole branch along, an emptied branch goes too."""
    rest: Fields = {}
    for key, value in fields.items():
        if key not in gone:
            rest[key] = value
        elif key != "." and gone[key]:
            branch = _without(value, gone[key])
            if branch:
                rest[key] = branch
    return rest
