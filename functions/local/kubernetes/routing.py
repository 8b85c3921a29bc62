"""From a URL and a method to a target and a verb."""

from collections.abc import Mapping

from functions.local.kubernetes.errors import bad_request, no_such_path
from functions.local.kubernetes.query import TRUE, Target
from functions.local.kubernetes.resources import BY_PATH, NAMESPACES
from functions.local.kubernetes.verbs import not_allowed

ON_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
ON_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def target(path: str) -> Target | None:
    """What a path names; None: no path of objects (discovery, reviews). Raises 404 for an unknown type."""
    steps = path.strip("/").split("/")
    if steps[0] == "api" and len(steps) > 2:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[0] == "apis" and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        return None
    if group in ("authentication.k8s.io", "authorization.k8s.io"):
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and (group, version, rest[2]) in BY_PATH:
        namespace, rest = rest[1], rest[2:]
    return _in(group, version, namespace, rest)


def _in(group: str, version: str, namespace: str, rest: list[str]) -> Target:
    resource = BY_PATH.get((group, version, rest[0]))
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise no_such_path()
    name, subresource = [*rest[1:], "", ""][:2]
    known = {"": True, "status": resource.status, "scale": resource.scale, "finalize": resource is NAMESPACES}
    if not known.get(subresource, False) or (name and resource.namespaced and not namespace):
        raise no_such_path()
    return Target(resource, version, namespace, name, subresource)


def verb(method: str, found: Target, params: Mapping[str, str]) -> str:
    """get, list, watch, create, update, patch, delete or deletecollection; raises 405."""
    if method == "GET" and params.get("watch") in TRUE:
        return "watch"
    if not found.name and method in ("PUT", "PATCH"):
        raise bad_request("name must be provided")
    chosen = (ON_OBJECT if found.name else ON_COLLECTION).get(method)
    unscoped = found.resource.namespaced and not found.namespace and chosen in ("create", "deletecollection")
    if chosen is None or unscoped or (found.subresource and chosen == "delete"):
        raise not_allowed()
    return chosen
