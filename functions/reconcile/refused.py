"""A command that has the lease and is not done: refused, expired, or superseded by a later one."""

from datetime import datetime

from events.facts import ModelFailed
from functions.lifecycle.decision import audit_name
from functions.lifecycle.effects import AuditEntry, Published, StepAnswer
from functions.lifecycle.errors import Code, StepError
from functions.lifecycle.observe import publish
from functions.lifecycle.request import Request
from functions.reconcile.ports import Claimed, Commit, Ports


async def drop(ports: Ports, request: Request, claimed: Claimed, code: Code, why: str) -> StepAnswer:
    """A command that is too late: audited, answered, nothing changes.

    If it took effect before its process died, an observation has reported that, and the history has its entry.
    """
    known = claimed.record.audited if claimed.record else ()
    told = audit_name(request.verb, request.key) in known
    answer = StepAnswer(202)
    message = f"The {request.verb} was dropped: {why}."
    events = (_failure(request, code, message, "Send it again if it is still wanted.", claimed.now),)
    await _settle(
        ports,
        request,
        claimed,
        answer=answer,
        audit=() if told else (_entry(request, code, message, claimed.now),),
        events=events if code is Code.EXPIRED else (),
    )
    return answer


async def refuse(ports: Ports, request: Request, claimed: Claimed, refusal: StepError, *, heard: bool) -> StepAnswer:
    """Over REST the caller is told and may try the same key again; an event is answered for good, and published.

    A refusal whose caller waits no longer is kept for the next request with the same id.
    """
    answer = StepAnswer(202) if request.by_event else None
    tell = request.by_event or not heard
    event = _failure(request, refusal.code, refusal.message, refusal.next_action, claimed.now)
    await _settle(
        ports,
        request,
        claimed,
        answer=answer,
        refusal=None if heard or answer else refusal,
        audit=(_entry(request, refusal.code, refusal.message, claimed.now),),
        events=(event,) if tell else (),
    )
    if answer:
        return answer
    if heard:
        raise refusal
    return StepAnswer(refusal.status)


async def _settle(
    ports: Ports,
    request: Request,
    claimed: Claimed,
    *,
    answer: StepAnswer | None,
    audit: tuple[AuditEntry, ...],
    events: tuple[Published, ...],
    refusal: StepError | None = None,
) -> None:
    """Commits what is said of the command; the model's record stays as it is."""
    commit = Commit(
        request.ref,
        claimed.revision,
        None,
        token=claimed.token,
        request=request,
        answer=answer,
        refusal=refusal,
        audit=audit,
        events=events,
    )
    await ports.commit(commit)


def _failure(request: Request, code: Code, message: str, next_action: str, now: datetime) -> Published:
    event = ModelFailed(
        actor=request.actor,
        reason=request.command.reason,
        code=code,
        message=message,
        next_action=next_action,
        during=request.verb,
    )
    return publish(request.ref, event, request.run(now), now)


def _entry(request: Request, code: Code, message: str, now: datetime) -> AuditEntry:
    return AuditEntry(
        time=now,
        ref=request.ref,
        action=request.verb,
        actor=request.actor,
        claimed_actor=request.claimed_actor,
        code=code,
        reason=request.command.reason,
        message=message,
        source=request.source,
        event_id=request.id,
        correlation_id=request.correlation_id,
    )
