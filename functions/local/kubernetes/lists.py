"""LIST: pages that fit together (all of one version), 410 when that version is forgotten."""

import base64
import binascii
import json

from functions.local.kubernetes import tables
from functions.local.kubernetes.errors import ApiError, bad_request, expired
from functions.local.kubernetes.query import Query
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.store import Obj, Store, TooOld, dump, encode

Place = tuple[str, str]


def page(store: Store, query: Query) -> bytes:
    """The JSON of one page; raises 400 for a bad token, 410 Expired, 504 for a version of the future."""
    resource = query.target.resource
    version, after = _start(store, query)
    found = _snapshot(store, resource, version, continued=bool(query.token))
    places = sorted(place for place, obj in found.items() if query.match(obj) and (after is None or place > after))
    shown = places[: query.limit] if query.limit else places
    left = len(places) - len(shown)
    meta: Obj = {"resourceVersion": str(version)}
    if left:
        meta["continue"] = _token(version, shown[-1])
        if not query.selective:
            meta["remainingItemCount"] = left
    objects = [found[place] for place in shown]
    if query.table:
        return dump(tables.table(resource, objects, meta))
    return _render(query, meta, objects)


def _render(query: Query, meta: Obj, objects: list[Obj]) -> bytes:
    resource, version = query.target.resource, query.target.version
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version(version), "metadata": meta}
    items = b",".join(as_version(resource, version, obj) for obj in objects)
    return dump(head)[:-1] + b',"items":[' + items + b"]}"


def as_version(resource: Resource, version: str, obj: Obj) -> bytes:
    """The object's JSON in an API version; versions differ in their name only (conversion strategy None)."""
    if version == resource.versions[0]:
        return encode(obj)
    return dump({**obj, "apiVersion": resource.api_version(version)})


def _start(store: Store, query: Query) -> tuple[int, Place | None]:
    """(the version to show, the place after which to go on)."""
    if query.token:
        return _read_token(query.token)
    wanted = int(query.version or 0)
    if wanted > store.version:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        message = f"Timeout: Too large resource version: {wanted}, current: {store.version}"
        raise ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1}, retry_after=1)
    return (wanted if query.exact and wanted else store.version), None


def _snapshot(store: Store, resource: Resource, version: int, *, continued: bool) -> dict[Place, Obj]:
    try:
        return store.at(resource, version)
    except TooOld as error:
        if continued:
            message = (
                "The provided continue parameter is too old to display a consistent list result. You must start a "
                "new list without the continue parameter, or use the continue token in this response to retrieve "
                "the remainder of the results."
            )
            raise expired(message) from error
        raise expired("The resourceVersion for the provided list is too old.") from error


def _token(version: int, last: Place) -> str:
    return base64.urlsafe_b64encode(dump({"v": "meta.k8s.io/v1", "rv": version, "start": list(last)})).decode()


def _read_token(token: str) -> tuple[int, Place]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token))
        namespace, name = content["start"]
        return int(content["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
