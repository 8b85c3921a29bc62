"""What a look or a command comes to, before anything is done, and the audit lines that go with it."""

from dataclasses import dataclass, replace
from datetime import datetime

from functions.lifecycle.command_key import join_key, split_key
from functions.lifecycle.effects import Action, AuditEntry, Effect, Published
from functions.lifecycle.observation import Observation
from functions.lifecycle.record import Intent, Record, Run
from functions.lifecycle.request import Request


@dataclass(frozen=True)
class Decision:
    """`record` is what holds once `effects` are done. `note` says why nothing changed.

    `again`: commit this and come back; what is due may only be done once the record knows of it.
    `predict`: the pods that are to be sent the model's smoke test, by uid.
    """

    record: Record
    effects: tuple[Effect, ...] = ()
    events: tuple[Published, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    changed: bool = False
    note: str | None = None
    intent: Intent | None = None
    due: datetime | None = None
    again: bool = False
    predict: tuple[str, ...] = ()


def already(record: Record) -> str:
    return f"It is {record.state} already. {record.message or ''}".strip()


def asked(decision: Decision, seen: Observation, request: Request) -> Decision:
    """The audit line of the command itself."""
    entry = audit_entry(
        decision.record,
        seen,
        request.verb,
        request.actor,
        event=(request.source, request.id),
        changed=decision.changed,
        claimed=request.claimed_actor,
        reason=request.command.reason,
        message=decision.note,
        correlation=request.correlation_id,
    )
    return replace(decision, audit=(*decision.audit, entry))


def audit_entry(
    record: Record,
    seen: Observation,
    action: str,
    actor: str,
    *,
    event: tuple[str, str],
    claimed: str | None = None,
    changed: bool = False,
    reason: str | None = None,
    message: str | None = None,
    correlation: str | None = None,
) -> AuditEntry:
    return AuditEntry(
        time=seen.observed_at,
        ref=seen.ref,
        action=action,
        actor=actor,
        claimed_actor=claimed,
        state=record.state,
        source=event[0],
        event_id=event[1],
        changed=changed,
        reason=reason,
        message=message,
        correlation_id=correlation,
    )


AUDITED_KEPT = 16
_COMMANDS = {Action.STOP, Action.START, Action.RELOAD}


def audit_name(verb: str, key: str) -> str:
    """How a record remembers that the history has a command's entry. `key`: the command's source and id."""
    return f"{verb} {key}"


def audited_once(decision: Decision) -> Decision:
    """Without a command's entry that the history has already: a step died, or came second, and a
    look has recorded it.
    """
    known = list(decision.record.audited)
    entries = []
    for entry in decision.audit:
        if entry.event_id and entry.action in _COMMANDS and not entry.code:
            name = audit_name(entry.action, join_key(entry.source or "", entry.event_id))
            if name in known:
                continue
            known.append(name)
        entries.append(entry)
    audited = tuple(known[-AUDITED_KEPT:])
    return replace(decision, audit=tuple(entries), record=decision.record.model_copy(update={"audited": audited}))


def to_be_audited(record: Record, verb: str, key: str) -> Record:
    """Once more, under the same name: a command that waited, and was audited for that, is now carried out."""
    name = audit_name(verb, key)
    return record.model_copy(update={"audited": tuple(known for known in record.audited if known != name)})


def was_done(record: Record, request: Request) -> bool:
    """A delivery died after its PATCH was seen, or was done without Redis, and another actor has changed the model since.

    That change came later.
    """
    return request.key in record.unrecorded or (request.redelivered and record.effective == request.key)


def run_entry(
    record: Record, seen: Observation, action: str, run: Run, *, message: str | None = None, changed: bool = False
) -> AuditEntry:
    """What a look did or saw of a command that was accepted before, under that command's name and ids."""
    return audit_entry(
        record,
        seen,
        action,
        run.actor,
        event=split_key(run.key),
        claimed=run.claimed_actor,
        changed=changed,
        message=message,
        correlation=run.correlation_id,
    )
