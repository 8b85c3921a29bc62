"""The four ways to patch: JSON Patch, merge, strategic merge (by the usual merge keys) and server-side apply."""

import json
from collections.abc import Callable
from typing import Any

import jsonpatch
import yaml

from functions.local.kubernetes.errors import bad_request, patch_failed, unsupported_media_type
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.store import Obj

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
APPLY_TYPES = (APPLY, "application/apply-patch+cbor")

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "conditions": "type",
    "ownerReferences": "uid",
    "hostAliases": "ip",
}
"""Lists that a strategic merge joins by a key; `ports` differs between containers and Services."""


def reader(content_type: str, body: bytes, resource: Resource) -> Callable[[Obj], Obj]:
    """The change that a PATCH request asks for; raises 400 for a body that can't be read, 415 for its type."""
    kind = content_type.partition(";")[0].strip()
    if kind == JSON:
        return _json_patch(_decode(body))
    if kind == MERGE:
        patch = _object(_decode(body))
        return lambda obj: merge(obj, patch)
    if kind == STRATEGIC and not resource.custom:
        patch = _object(_decode(body))
        return lambda obj: strategic(obj, patch)
    if kind == APPLY:
        patch = _object(yaml.safe_load(body))
        return lambda obj: strategic(obj, patch)
    raise unsupported_media_type(resource)


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from error


def _object(patch: Any) -> Obj:
    if not isinstance(patch, dict):
        raise bad_request(f"error decoding patch: got {type(patch).__name__}, expected an object")
    return patch


def _json_patch(operations: Any) -> Callable[[Obj], Obj]:
    if not isinstance(operations, list):
        raise bad_request(f"error decoding patch: got {type(operations).__name__}, expected a list of operations")

    def change(obj: Obj) -> Obj:
        try:
            needed = [operation for operation in operations if not _tests_for_absence(operation, obj)]
            changed: Obj = jsonpatch.JsonPatch(needed).apply(obj, in_place=True)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, KeyError, TypeError) as error:
            raise patch_failed() from error
        return changed

    return change


def _tests_for_absence(operation: Any, obj: Obj) -> bool:
    """The API server lets `test` with a null value succeed on a member that is not there (RFC 6902 does not)."""
    if operation.get("op") != "test" or operation.get("value") is not None:
        return False
    return jsonpatch.JsonPointer(operation["path"]).resolve(obj, None) is None


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic(target: Any, patch: Any, field: str = "") -> Any:
    """Merge, with lists joined by their merge key; honours `$patch: delete|replace` and drops other directives."""
    if isinstance(patch, list):
        return _strategic_list(target if isinstance(target, list) else [], patch, field)
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if not key.startswith("$")}
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            result[name] = [item for item in result.get(name, ()) if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), value, key)
    return result


def _merge_key(field: str, items: list[Any]) -> str | None:
    if field == "ports" and items:
        return next((key for key in ("containerPort", "port") if key in items[0]), None)
    return MERGE_KEYS.get(field)


def _strategic_list(target: list[Any], patch: list[Any], field: str) -> list[Any]:
    if field == "finalizers":
        return target + [item for item in patch if item not in target]
    key = _merge_key(field, [*target, *patch])
    if key is None or not all(isinstance(item, dict) for item in [*target, *patch]):
        return patch
    result = list(target)
    for item in patch:
        place = next((at for at, have in enumerate(result) if have.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if place is not None:
                del result[place]
        elif place is None:
            result.append(strategic({}, item))
        else:
            result[place] = strategic(result[place], item)
    return result
