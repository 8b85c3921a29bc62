"""What `kubectl` and generated clients ask before they ask for objects: /version, /api, /apis and a small OpenAPI."""

from functions.local.kubernetes.errors import no_such_path
from functions.local.kubernetes.resources import (
    ALL,
    DEPLOYMENTS,
    PODS,
    REPLICASETS,
    SERVICES,
    STATEFULSETS,
    VERBS,
    Resource,
)
from functions.local.kubernetes.store import Obj

VERSION = {
    "major": "1",
    "minor": "35",
    "gitVersion": "v1.35.4+modelswitch",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
SHOWN_BY_GET_ALL = (PODS, SERVICES, DEPLOYMENTS, REPLICASETS, STATEFULSETS)
REVIEWS = {
    "authentication.k8s.io": {"tokenreviews": "TokenReview"},
    "authorization.k8s.io": {
        "subjectaccessreviews": "SubjectAccessReview",
        "selfsubjectaccessreviews": "SelfSubjectAccessReview",
    },
}


def answer(path: str) -> Obj:
    """The document at a discovery path; raises 404."""
    steps = [step for step in path.split("/") if step]
    match steps:
        case ["version"]:
            return VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["api", "v1"]:
            return _resources("", "v1")
        case ["apis"]:
            groups = [_group(name) for name in sorted(_groups())]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["apis", group] if group in _groups():
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
        case ["apis", group, version] if version in _groups().get(group, ()):
            return _resources(group, version)
        case ["openapi", "v3"]:
            return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in _places()}}
        case ["openapi", "v3", *rest] if "/".join(rest) in _places():
            return _openapi("/".join(rest))
        case _:
            raise no_such_path()


def _groups() -> dict[str, list[str]]:
    """Group to versions, the preferred one first."""
    groups: dict[str, list[str]] = {name: ["v1"] for name in REVIEWS}
    for resource in ALL:
        if resource.group:
            known = groups.setdefault(resource.group, [])
            known += [version for version in resource.versions if version not in known]
    groups["serving.kserve.io"].sort(reverse=True)
    return groups


def _group(name: str) -> Obj:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in _groups()[name]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str) -> Obj:
    found: list[Obj] = []
    for resource in ALL:
        if resource.group == group and version in resource.versions:
            found.extend(_entries(resource))
    for plural, kind in REVIEWS.get(group, {}).items():
        entry = {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
        found.append(entry)
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found}


def _entries(resource: Resource) -> list[Obj]:
    entry: Obj = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(VERBS),
    }
    if resource in SHOWN_BY_GET_ALL:
        entry["categories"] = ["all"]
    if resource.short:
        entry["shortNames"] = list(resource.short)
    entries = [entry]
    part = {"singularName": "", "namespaced": resource.namespaced, "verbs": ["get", "patch", "update"]}
    if resource.status:
        entries.append(part | {"name": f"{resource.plural}/status", "kind": resource.kind})
    if resource.scale:
        scale = {"name": f"{resource.plural}/scale", "kind": "Scale", "group": "autoscaling", "version": "v1"}
        entries.append(part | scale)
    return entries


def _places() -> list[str]:
    return ["api/v1", *(f"apis/{group}/{version}" for group, versions in _groups().items() for version in versions)]


def _openapi(place: str) -> Obj:
    """Just enough for `kubectl apply` to learn that PATCH knows `fieldValidation`, so it validates nothing itself."""
    group, _, version = place.removeprefix("apis/").rpartition("/")
    group = "" if place == "api/v1" else group
    paths: Obj = {}
    for resource in ALL:
        if resource.group == group and version in resource.versions:
            middle = "namespaces/{namespace}/" if resource.namespaced else ""
            paths[f"/{place}/{middle}{resource.plural}/{{name}}"] = {"patch": _patch_operation(resource, version)}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]}, "paths": paths}


def _patch_operation(resource: Resource, version: str) -> Obj:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    return {"parameters": parameters, "responses": {}, "x-kubernetes-group-version-kind": kind}
