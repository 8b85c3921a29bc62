"""The rows as people read them: a table, below it what is wrong and what to do, and probes that would have told; and as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.table import Table

from events.model import Kind
from functions.adapters.kserve.installations import OtherInstallations
from functions.adapters.kserve.note_policy import PolicyStatus
from functions.adapters.kserve.notes import UNSIGNED_NOTE, NoteState
from functions.admin.verify.judging import Row, Standing
from functions.admin.verify.leaving import Leaving
from functions.admin.verify.readiness import Advice
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION

_Advised = TypeVar("_Advised", Advice, Leaving)
_COLUMNS = ("MODEL", "KSERVE SAYS", "PODS SAY", "PREDICTION SAYS", "VERDICT")
_NEW_PODS = "(a changed runtime gives the models that use it new pods)"
_RESTARTS = "(a changed runtime gives the models that use it new pods; one without its model then never becomes Ready)"


def name(row: Row) -> str:
    kind = "" if row.ref.kind is Kind.INFERENCE_SERVICE else f" ({row.ref.kind})"
    return f"{row.ref.namespace}/{row.ref.name}{kind}"


def table(rows: Iterable[Row]) -> Table:
    made = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        made.add_column(column, overflow="fold", no_wrap=column == "VERDICT")
    for row in rows:
        style = "bold red" if row.wrong else "red" if row.standing is Standing.ERROR else None
        made.add_row(name(row), row.kserve, row.pods, row.prediction.said, row.standing.value, style=style)
    return made


def reasons(rows: Iterable[Row]) -> Iterator[str]:
    """What there is to say of each that does not simply answer; what differs first."""
    for row in sorted(rows, key=lambda row: not row.wrong):
        if row.what:
            yield f"{name(row)}: {row.what}"
            if row.next and not (row.settled and row.standing is not Standing.UNVERIFIED):
                yield from (f"  {line}" for line in row.next.splitlines())


def probes(rows: Sequence[Row], *, every: bool) -> Iterator[str]:
    """A probe for each runtime of a model that differs; `every`: for all that have none that tells. Where only the prediction
    differs a probe would have said nothing else.
    """
    wanted = _once(row.probe for row in rows if row.probe and (every or (row.wrong and row.probe.missed)))
    for one in wanted:
        yield f"The readiness probe of {one.runtime} {one.now}. One that tells, for its spec.containers {_RESTARTS}:"
        yield from (f"    {line}" for line in one.yaml.splitlines())
    others = [one for one in _once(row.probe for row in rows if row.probe) if one not in wanted]
    if others:
        named = ", ".join(dict.fromkeys(one.runtime for one in others))
        yield f"Readiness probes that do not ask for the model: {named} (--probes prints what to add)."


def hooks(rows: Iterable[Row]) -> Iterator[str]:
    """A preStop hook for each runtime that has none. It only matters from the next rolling update on."""
    for one in _once(row.leaving for row in rows if row.leaving):
        yield f"Pods of {one.runtime} close their port as soon as they get SIGTERM: clients that still route to them are"
        yield f"refused. Add a hook that waits to its spec.containers {_NEW_PODS}:"
        yield from (f"    {line}" for line in one.yaml.splitlines())


def notes(rows: Iterable[Row], policy: PolicyStatus | None) -> Iterator[str]:
    """What there is to say of stop annotations: which are not signed, and whether the policy that guards them holds."""
    rows = list(rows)
    for row in rows:
        if row.note is NoteState.UNSIGNED:
            yield f"{name(row)}: annotation {STOP_NOTE_ANNOTATION}: {UNSIGNED_NOTE}."
    if policy and policy.message:
        yield policy.message
        yield f"  {policy.next_action}"
        if any(row.note is NoteState.UNCHECKED for row in rows):
            yield "  Signatures were not checked: NOTE_KEYS is not set here."
    elif policy and policy.only_in:
        yield f"ValidatingAdmissionPolicy {policy.name} is in force only in namespaces with the label {policy.only_in}."


def installations(others: OtherInstallations) -> Iterator[str]:
    """What there is to say of other installations, where they are known to be there."""
    if others.message:
        yield others.message
        yield f"  {others.next_action}"


def _once(found: Iterable[_Advised]) -> list[_Advised]:
    return list(dict.fromkeys(found))


def as_json(
    rows: Iterable[Row], policy: PolicyStatus | None = None, others: OtherInstallations | None = None
) -> dict[str, Any]:
    """`policy` None: no model has a stop annotation, and the policy was not read."""
    rows = list(rows)
    return {
        "items": [_row(row) for row in rows],
        "wrong": sum(row.wrong for row in rows),
        "stop_annotation_policy": _policy(policy) if policy else None,
        "other_installations": list(others.names) if others and others.names is not None else None,
    }


def _policy(policy: PolicyStatus) -> dict[str, Any]:
    return {
        "name": policy.name,
        "state": policy.state.value,
        "only_in": policy.only_in or None,
        "message": policy.message or None,
        "next_action": policy.next_action or None,
    }


def _row(row: Row) -> dict[str, Any]:
    prediction = row.prediction
    return {
        "namespace": row.ref.namespace,
        "name": row.ref.name,
        "kind": row.ref.kind.value,
        "kserve_says": row.kserve,
        "pods_say": row.pods,
        "prediction": {
            "outcome": prediction.outcome.name.lower(),
            "said": prediction.said,
            "path": prediction.path or None,
        },
        "verdict": row.standing.name.lower(),
        "wrong": row.wrong,
        "message": row.what,
        "next_action": row.next,
        "readiness_probe": _addition(row.probe),
        "pre_stop": _addition(row.leaving),
        "stop_annotation": row.note.value if row.note else None,
    }


def _addition(one: Advice | Leaving | None) -> dict[str, str] | None:
    return {"runtime": one.runtime, "add": one.yaml} if one else None
