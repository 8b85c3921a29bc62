"""What a real API server's schemas refuse: fields of another type in the objects that its controllers read here."""

from collections.abc import Iterator
from typing import Any

from functions.local.kubernetes import quantities
from functions.local.kubernetes.errors import bad_request, invalid
from functions.local.kubernetes.resources import PODS, QUOTAS, Resource
from functions.local.kubernetes.store import Obj

_TEXTS = ("name", "namespace", "uid", "resourceVersion", "generateName")


def check(resource: Resource, obj: Obj) -> None:
    """Raise 400 for a field of another type, 422 for a quantity that is none. A null in the metadata is left out."""
    metadata = obj["metadata"]
    for name in [name for name, value in metadata.items() if value is None]:
        del metadata[name]
    for path, wrong in _wrong_types(resource, obj):
        raise bad_request(f"{resource.kind} in version {resource.versions[0]} cannot be handled: {path}: {wrong}")
    amounts = _hard(obj) if resource is QUOTAS else _of_containers(_pod_spec(resource, obj))
    for path, amount in amounts:
        try:
            quantities.parse(amount)
        except ValueError as error:
            raise invalid(
                resource, obj["metadata"]["name"], path, f"Invalid value: {str(amount)[:60]!r}: {error}"
            ) from error


def _wrong_types(resource: Resource, obj: Obj) -> Iterator[tuple[str, str]]:
    metadata = obj["metadata"]
    for name in _TEXTS:
        yield from _not_a(str, metadata.get(name), f"metadata.{name}")
    for name in ("finalizers", "ownerReferences", "managedFields"):
        yield from _not_a(list, metadata.get(name), f"metadata.{name}")
    for name, kind in (("finalizers", str), ("ownerReferences", dict), ("managedFields", dict)):
        for place, item in enumerate(metadata.get(name) or []):
            yield from _not_a(kind, item, f"metadata.{name}[{place}]", null=False)
    for reference in metadata.get("ownerReferences") or []:
        yield from _not_a(str, reference.get("uid"), "metadata.ownerReferences.uid", null=False)
    for name in ("spec", "status"):
        yield from _not_a(dict, obj.get(name), name)
    if resource.group == "apps":
        template = (obj.get("spec") or {}).get("template")
        yield from _not_a(dict, template, "spec.template")
        yield from _not_a(dict, (template or {}).get("spec"), "spec.template.spec")
        yield from _not_a(int, (obj.get("spec") or {}).get("replicas"), "spec.replicas")
    if resource is QUOTAS:
        yield from _not_a(dict, (obj.get("spec") or {}).get("hard"), "spec.hard")
    spec = _pod_spec(resource, obj)
    yield from _not_a(int, spec.get("terminationGracePeriodSeconds"), "spec.terminationGracePeriodSeconds")
    for member in ("containers", "initContainers"):
        yield from _not_a(list, spec.get(member), f"spec.{member}")
        for place, container in enumerate(spec.get(member) or []):
            yield from _container(container, f"spec.{member}[{place}]")


def _container(container: Any, path: str) -> Iterator[tuple[str, str]]:
    wrong = list(_not_a(dict, container, path, null=False))
    yield from wrong
    if wrong:
        return
    yield from _not_a(str, container.get("name"), f"{path}.name", null=False)
    for name, kind in (("args", list), ("command", list), ("env", list), ("ports", list), ("resources", dict)):
        yield from _not_a(kind, container.get(name), f"{path}.{name}")
    for name in ("requests", "limits"):
        yield from _not_a(dict, (container.get("resources") or {}).get(name), f"{path}.resources.{name}")


def _not_a(kind: type, value: Any, path: str, *, null: bool = True) -> Iterator[tuple[str, str]]:
    """A null counts as absent."""
    if (value is None and null) or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
        return
    yield path, f"got {type(value).__name__}, expected {kind.__name__}"


def _pod_spec(resource: Resource, obj: Obj) -> Obj:
    spec = obj.get("spec") or {}
    if resource is PODS:
        return spec
    if resource.group == "apps":
        found: Obj = (spec.get("template") or {}).get("spec") or {}
        return found
    return {}


def _hard(quota: Obj) -> Iterator[tuple[str, Any]]:
    for name, amount in ((quota.get("spec") or {}).get("hard") or {}).items():
        yield f"spec.hard[{name}]", amount


def _of_containers(spec: Obj) -> Iterator[tuple[str, Any]]:
    for member in ("containers", "initContainers"):
        for container in spec.get(member) or []:
            for kind in ("requests", "limits"):
                for name, amount in ((container.get("resources") or {}).get(kind) or {}).items():
                    yield f"spec.{member}[{container.get('name')}].resources.{kind}[{name}]", amount
