"""From what is wanted and what is there to what will be done. Pure: the same input gives the same plan."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from functions.admin.pvc.copying import plan_copying
from functions.admin.pvc.errors import Refusal
from functions.admin.pvc.seen import Seen
from functions.admin.pvc.serving import is_stopped, plan_runtime, plan_service
from functions.admin.pvc.verdicts import Change, Check, Verdict, ok, refused
from functions.admin.pvc.volumes import plan_storage
from functions.admin.pvc.wish import Wish

UNKNOWN_DIGEST = "known-after-the-copy"
_RIGHTS = {
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Job": "jobs",
    "Pod": "pods",
    "ServingRuntime": "servingruntimes",
    "InferenceService": "inferenceservices",
}


@dataclass(frozen=True)
class Plan:
    """In the order in which `apply` does it. None: nothing to do there. `loaded`: what the claim says is on it.

    `leftover`: a loader that has done its work, of a run that was interrupted before it could delete it.
    """

    wish: Wish
    checks: tuple[Check, ...]
    storage_class: Change | None = None
    claim: Change | None = None
    loader: Change | None = None
    runtime: Change | None = None
    service: Change | None = None
    source: str = ""
    loaded: Mapping[str, Any] | None = None
    leftover: Change | None = None
    stopped: bool = False

    @property
    def refused(self) -> bool:
        return any(check.verdict is Verdict.REFUSED for check in self.checks)

    @property
    def changes(self) -> tuple[Change, ...]:
        every = (self.storage_class, self.claim, self.loader, self.runtime, self.service)
        return tuple(change for change in every if change)

    @property
    def nothing_to_do(self) -> bool:
        return not self.changes and not self.refused


def make_plan(wish: Wish, seen: Seen) -> Plan:
    """Each problem is a check of its own, so that the user sees all problems at once."""
    if seen.model is None:
        missing = f"there is no InferenceService {wish.model} in namespace {wish.namespace}"
        return Plan(wish, (refused("model", missing, "Check the name and -n NAMESPACE."),))
    storage_checks, storage_class, claim = plan_storage(wish, seen)
    try:
        copying = plan_copying(wish, seen)
    except Refusal as refusal:
        return Plan(wish, (refused("artifact", refusal.message, refusal.next_action), *storage_checks))
    runtime = plan_runtime(wish, seen)
    digest = wish.digest_expected or (copying.loaded or {}).get("digest") or UNKNOWN_DIGEST
    loads = copying.loader is not None
    service_checks, service = plan_service(wish, seen, runtime.name, str(digest), loads=loads)
    plan = Plan(
        wish,
        (*copying.checks[:1], *storage_checks, *copying.checks[1:], runtime.check, *service_checks),
        storage_class,
        claim,
        copying.loader,
        runtime.change,
        service,
        source=copying.source,
        loaded=copying.loaded,
        leftover=copying.leftover,
        stopped=is_stopped(seen.model) and wish.new_name is None,
    )
    return replace(plan, checks=(*plan.checks, *_rights(plan, seen)))


def _rights(plan: Plan, seen: Seen) -> list[Check]:
    needed = [
        (change.verb, _RIGHTS[change.after["kind"]]) for change in plan.changes if change.after["kind"] in _RIGHTS
    ]
    if plan.loader and plan.loader.after["kind"] == "Pod":
        needed.append(("create", "pods/exec"))
    denied = [f"{verb} {resource}" for verb, resource in needed if (verb, resource) in seen.denied]
    if denied:
        said = f"in namespace {plan.wish.namespace} you may not {', '.join(denied)}"
        return [refused("rights", said, "Ask the namespace's administrator for these rights.")]
    return [ok("rights", "the API server allows each change")] if needed else []
