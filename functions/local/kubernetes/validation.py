"""The rules that every object must keep: names, labels, annotations, finalizers, a workload's selector."""

import re
from typing import Any

from functions.local.kubernetes import field_types
from functions.local.kubernetes.errors import bad_request, invalid
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.store import Obj

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
ONE_LABEL = ("namespaces", "services")
ANNOTATIONS_MAX = 256 * 1024


def check(resource: Resource, obj: Obj) -> None:
    """Raise 422 Invalid (400 for maps that are none) for the first rule that the object breaks."""
    field_types.check(resource, obj)
    meta = obj["metadata"]
    name = meta.get("name", "")
    _check_name(resource, name)
    for member in ("labels", "annotations"):
        _check_map(member, meta.get(member))
    for value in (meta.get("labels") or {}).values():
        _check_label_value(resource, name, value)
    size = sum(len(key) + len(value) for key, value in (meta.get("annotations") or {}).items())
    if size > ANNOTATIONS_MAX:
        message = f"Too long: may not be more than {ANNOTATIONS_MAX} bytes"
        raise invalid(resource, name, "metadata.annotations", message, "FieldValueTooLong")
    if resource.group == "apps":
        _check_selector(resource, name, obj)


def check_finalizers(resource: Resource, before: Obj, after: Obj) -> None:
    """An object that is being deleted takes no new finalizer."""
    added = [item for item in after.get("finalizers") or () if item not in (before.get("finalizers") or ())]
    if before.get("deletionTimestamp") and added:
        listed = ", ".join(f'"{item}"' for item in added)
        message = (
            "Forbidden: no new finalizers can be added if the object is being deleted, "
            f"found new finalizers []string{{{listed}}}"
        )
        raise invalid(resource, before["name"], "metadata.finalizers", message, "FieldValueForbidden")


def _check_name(resource: Resource, name: str) -> None:
    if not name:
        message = "Required value: name or generateName is required"
        raise invalid(resource, "", "metadata.name", message, "FieldValueRequired")
    single = resource.plural in ONE_LABEL and not resource.custom
    pattern, longest, rule = (LABEL, 63, LABEL_RULE) if single else (SUBDOMAIN, 253, SUBDOMAIN_RULE)
    if len(name) > longest:
        rule = f"must be no more than {longest} characters"
    elif re.fullmatch(pattern, name):
        return
    raise invalid(resource, name, "metadata.name", f'Invalid value: "{name}": {rule}')


def _check_map(member: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise bad_request(f"metadata.{member}: got {value!r}, expected a map of strings to strings")


def _check_label_value(resource: Resource, name: str, value: str) -> None:
    rule = "" if LABEL_VALUE.fullmatch(value) else LABEL_VALUE_RULE
    if len(value) > 63:
        rule = "must be no more than 63 bytes"
    if rule:
        raise invalid(resource, name, "metadata.labels", f'Invalid value: "{value}": {rule}')


def _check_selector(resource: Resource, name: str, obj: Obj) -> None:
    spec = obj.get("spec") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    have = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not spec.get("selector"):
        raise invalid(resource, name, "spec.selector", "Required value", "FieldValueRequired")
    if wanted.items() - have.items():
        message = f"Invalid value: {have}: `selector` does not match template `labels`"
        raise invalid(resource, name, "spec.template.metadata.labels", message)
