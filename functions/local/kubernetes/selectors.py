"""Label selectors (equality, set-based, existence) and field selectors, as in list and watch."""

import re
from collections.abc import Callable
from typing import Any

from functions.local.kubernetes.errors import bad_request
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.store import Obj

Match = Callable[[Obj], bool]
NAME = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
SPLIT = re.compile(r",(?![^()]*\))")
SET = re.compile(rf"^\s*({NAME})\s+(in|notin)\s*\(([^()]*)\)\s*$")
EQUAL = re.compile(rf"^\s*({NAME})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)\s*$")
EXISTS = re.compile(rf"^\s*(!?)\s*({NAME})\s*$")


def _requirement(text: str) -> Callable[[dict[str, str]], bool]:
    if found := SET.match(text):
        key, operator = found[1], found[3]
        values = {value.strip() for value in found[4].split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := EQUAL.match(text):
        key, operator, value = found[1], found[3], found[4]
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := EXISTS.match(text):
        absent, key = bool(found[1]), found[2]
        return lambda labels: (key in labels) is not absent
    raise bad_request(f"unable to parse requirement: {text!r} is no requirement such as a=b, a in (b,c), a or !a")


def labels(selector: str) -> Match:
    """A test of an object's labels; raises 400 on what can't be parsed."""
    if not selector:
        return lambda _: True
    requirements = [_requirement(part) for part in SPLIT.split(selector)]

    def match(obj: Obj) -> bool:
        have = obj["metadata"].get("labels") or {}
        return all(requirement(have) for requirement in requirements)

    return match


def match_labels(selector: dict[str, Any]) -> Match:
    """The structured form that workloads and `kubectl get -l` share: matchLabels and matchExpressions."""
    wanted = selector.get("matchLabels") or {}
    parts = [f"{key}={value}" for key, value in wanted.items()]
    for rule in selector.get("matchExpressions") or ():
        key, operator = rule["key"], rule["operator"]
        listed = ",".join(rule.get("values") or ())
        forms = {"Exists": key, "DoesNotExist": f"!{key}"}
        parts.append(forms.get(operator, f"{key} {operator.lower()} ({listed})"))
    return labels(",".join(parts))


def show(selector: dict[str, Any]) -> str:
    """`app=d`: how /scale writes a workload's selector."""
    return ",".join(f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items()))


def fields(selector: str, resource: Resource) -> Match:
    """A test of an object's fields; raises 400 for a field that the type has no selector for."""
    tests = [_field(part, resource) for part in selector.split(",") if part]
    return lambda obj: all(test(obj) for test in tests)


def _field(text: str, resource: Resource) -> Match:
    path, separator, value = text.partition("!=")
    negative = bool(separator)
    if not negative:
        path, separator, value = text.partition("=")
        value = value.removeprefix("=")
    if not separator:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    if path not in {"metadata.name", "metadata.namespace", *resource.fields}:
        raise bad_request(f"field label not supported: {path}")
    steps = path.split(".")
    return lambda obj: (_at(obj, steps) == value) is not negative


def _at(obj: Obj, steps: list[str]) -> str:
    value: Any = obj
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return "" if value is None else str(value)
