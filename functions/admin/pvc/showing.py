"""The plan as a person reads it: each check with its result, then a unified diff of the YAML of each object."""

import difflib
from collections.abc import Iterator
from typing import Any

import yaml

from functions.admin.pvc.manifests import bare
from functions.admin.pvc.planning import Plan
from functions.admin.pvc.verdicts import Change

Json = dict[str, Any]


class _Readable(yaml.SafeDumper):
    """Scripts as blocks, and lists indented below their key, as people write manifests."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - yaml's signature
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's signature
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Readable.add_representer(str, _text)


def as_yaml(found: Json | None) -> str:
    return "" if found is None else yaml.dump(found, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=1000)


def diff(change: Change) -> Iterator[str]:
    """No difference for a loader of an earlier run, which is kept: its object has fields that the cluster added."""
    goes_on = change.before is not None and change.after["kind"] in {"Job", "Pod"}
    before = change.after if goes_on else None if change.before is None else bare(change.before)
    old, new = as_yaml(before).splitlines(), as_yaml(change.after).splitlines()
    name = f"{change.after['kind']} {change.after['metadata'].get('namespace', '')}/{change.name}".replace(" /", " ")
    there = f"{name} (as it is)" if change.before else "/dev/null"
    yield from difflib.unified_diff(old, new, there, f"{name} (as it will be)", lineterm="")


def lines(plan: Plan) -> Iterator[str]:
    """What `plan` prints, and `apply` before it asks."""
    for check in plan.checks:
        yield str(check)
    for change in plan.changes:
        yield ""
        yield from diff(change)
    if plan.nothing_to_do:
        yield f"Nothing is to be done: {plan.wish.name} is served from {plan.wish.target}."


def summary(plan: Plan) -> Json:
    """The plan for programs: checks and changes, each with what it is about."""
    return {
        "model": f"{plan.wish.namespace}/{plan.wish.name}",
        "target": str(plan.wish.target),
        "refused": plan.refused,
        "nothing_to_do": plan.nothing_to_do,
        "checks": [{"about": c.about, "verdict": c.verdict, "message": c.message, "next": c.next} for c in plan.checks],
        "changes": [{"verb": change.verb, "what": change.what, "after": change.after} for change in plan.changes],
    }
