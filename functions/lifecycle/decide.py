"""What to do about a command, or about what a look showed: pure, so that every case can be tried.

`decide` never does anything. It returns the record as it will be once the effects are done, the effects in order,
and what to publish; or raises Refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from events.commands import StartRequested, StopRequested
from events.facts import ModelStarting, ModelStopping
from events.status import Hold, HoldKind, State
from functions.lifecycle.companion import Companion, QueuedStart
from functions.lifecycle.derive import DEFAULT_GRACE_SECONDS, Limits, next_look
from functions.lifecycle.effects import (
    AuditEntry,
    Effect,
    EndPods,
    PinOwners,
    Published,
    UnpinOwners,
)
from functions.lifecycle.errors import Superseded
from functions.lifecycle.observation import AUTOSCALER_ANNOTATION, Observation, Owner
from functions.lifecycle.observe import observe, publish
from functions.lifecycle.patches import note_patch, start_patch, stop_patch
from functions.lifecycle.receipt import last_run_pods
from functions.lifecycle.record import Autoscaler, Intent, Record, Run
from functions.lifecycle.refusals import refuse_start, refuse_stop
from functions.lifecycle.request import Request

FORCED_GRACE_SECONDS = 1
_AT_WORK = timedelta(seconds=15)


@dataclass(frozen=True)
class Decision:
    """`record` is what holds once `effects` are done. `note` says why nothing changed.

    `again`: commit this and come back; what is due may only be done once the record knows of it.
    """

    record: Record
    effects: tuple[Effect, ...] = ()
    facts: tuple[Published, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    changed: bool = False
    note: str | None = None
    intent: Intent | None = None
    due: datetime | None = None
    again: bool = False


def decide(
    record: Record | None,
    seen: Observation,
    request: Request | None,
    limits: Limits,
    planned: Intent | None = None,
) -> Decision:
    """`planned` is what a delivery that died had stored: of this command, or of whichever was last.

    Raises Superseded for a command that comes again after a later one was done. Only a redelivery can be late: what
    arrives for the first time is the latest there is.
    """
    seen = _without_left_behind(record, seen)
    looked = observe(record, seen, limits, planned, resumed=_is_resumed(seen, request))
    if request and request.redelivered and looked.record.sequence > request.sequence:
        raise Superseded
    sequence = max(looked.record.sequence, request.sequence if request else 0)
    after = looked.record.model_copy(update={"sequence": sequence})
    known = Decision(after, facts=looked.facts, audit=looked.audit)
    if request is None:
        decision = _upkeep(known, seen, planned, record.start if record and record.uid == seen.uid else None)
    elif isinstance(request.command, StopRequested):
        decision = _stop(known, seen, request, request.command)
    else:
        decision = _start(known, seen, request, request.command, planned)
    at_once = decision.again or bool(seen.pins) or any(isinstance(effect, PinOwners) for effect in decision.effects)
    return replace(decision, due=next_look(decision.record, at_once, seen.observed_at))


def _stop(known: Decision, seen: Observation, request: Request, command: StopRequested) -> Decision:
    companion = seen.companion
    if _is_resumed(seen, request):
        return replace(_finish_grace(known, seen), changed=True)
    if _was_done(known.record, request) or _was_left_behind(seen, request):
        return _asked(replace(known, changed=True), seen, request)
    if seen.stop_wanted:
        if companion and companion.queued:
            effect = note_patch(seen, companion.model_copy(update={"queued": None, "sequence": request.sequence}))
            record = known.record.model_copy(update={"queued": False})
            return _asked(replace(known, record=record, effects=(effect,), changed=True), seen, request)
        return _asked(replace(known, note=_already(known.record)), seen, request)
    refuse_stop(seen, command)
    now = seen.observed_at
    grace, owners = _wanted_grace(seen, command)
    run = Run(
        since=now,
        actor=request.actor,
        reason=command.reason,
        key=request.key,
        correlation_id=request.correlation_id,
        grace=grace,
    )
    hold = Hold(kind=HoldKind.USER, actor=request.actor, reason=command.reason, since=now)
    written = Companion(
        holds=(hold,),
        source=request.source,
        command=request.id,
        sequence=request.sequence,
        unrecorded=not request.sequence,
        since=now,
        correlation_id=request.correlation_id,
        grace=grace,
        pods=last_run_pods(seen),
        endpoint=known.record.endpoint,
        prior_stop=seen.stop_annotation,
    )
    patch = stop_patch(seen, written, _restored_autoscaler(known.record, seen))
    effects: tuple[Effect, ...] = (patch,)
    if owners and grace is not None:
        effects = (PinOwners(seen.ref, owners), patch, EndPods(seen.ref, owners, grace))
    after = known.record.model_copy(
        update={
            "state": State.STOPPING,
            "reason": "Draining" if seen.pods else "AwaitingKServe",
            "message": "The stop is accepted.",
            "since": now,
            "desired": "stopped",
            "available": False,
            "holds": (hold,),
            "stop": run,
            "start": None,
            "autoscaler": None,
            "effective": run.key,
            "left_behind": None,
        }
    )
    fact = ModelStopping(
        actor=request.actor,
        reason=command.reason,
        pods=len(seen.pods),
        grace=f"{grace}s" if grace is not None else None,
    )
    decision = replace(
        known,
        record=after,
        effects=effects,
        facts=(*known.facts, publish(seen.ref, fact, run, now)),
        changed=True,
        intent=Intent(verb="stop", at=now, run=run, sequence=request.sequence, by_event=request.by_event),
    )
    return _asked(decision, seen, request)


def _start(
    known: Decision, seen: Observation, request: Request, command: StartRequested, planned: Intent | None
) -> Decision:
    if not seen.stop_wanted:
        if planned and planned.run.key == request.key:
            return _asked(replace(known, changed=True), seen, request)
        return _asked(replace(known, note=_already(known.record)), seen, request)
    if _was_done(known.record, request):
        return _asked(replace(known, changed=True), seen, request)
    if _was_overtaken(seen, request, planned):
        raise Superseded
    refuse_start(known.record, seen, request, command)
    if known.record.state is not State.STOPPED and known.record.reason != "StopIgnored":
        return _queue(known, seen, request, command)
    run = Run(
        since=seen.observed_at,
        actor=request.actor,
        reason=command.reason,
        key=request.key,
        correlation_id=request.correlation_id,
    )
    started = _started(known, seen, run, restore_autoscaling=command.restore_autoscaling)
    if started.intent:
        started = replace(
            started,
            intent=started.intent.model_copy(update={"sequence": request.sequence, "by_event": request.by_event}),
        )
    return _asked(started, seen, request)


def _started(known: Decision, seen: Observation, run: Run, *, restore_autoscaling: bool) -> Decision:
    """Put everything back as it was. Pins go first: a pinned ReplicaSet of the last run must not outlive it."""
    now = seen.observed_at
    autoscaler = None if restore_autoscaling else Autoscaler(prior=seen.autoscaler)
    effects: list[Effect] = []
    if seen.pins:
        effects.append(UnpinOwners(seen.ref, tuple(pin.owner for pin in seen.pins)))
    effects.append(start_patch(seen, without_autoscaler=autoscaler is not None))
    after = known.record.model_copy(
        update={
            "state": State.STARTING,
            "reason": "AwaitingKServe",
            "message": "The start is accepted.",
            "since": now,
            "desired": "running",
            "holds": (),
            "stop": None,
            "start": run,
            "queued": False,
            "pods": {},
            "autoscaler": autoscaler,
            "effective": run.key,
        }
    )
    fact = ModelStarting(actor=run.actor, reason=run.reason)
    return replace(
        known,
        record=after,
        effects=tuple(effects),
        facts=(*known.facts, publish(seen.ref, fact, run, now)),
        changed=True,
        intent=Intent(
            verb="start", at=now, run=run, autoscaler=autoscaler, over=seen.companion.key if seen.companion else None
        ),
    )


def _queue(known: Decision, seen: Observation, request: Request, command: StartRequested) -> Decision:
    """Keep the start on the model itself: whoever sees the last pod go carries it out."""
    run = known.record.stop
    companion = seen.companion or Companion(
        holds=known.record.holds,
        source=request.source,
        command=f"adopted {request.id}",
        since=(run.since if run else None) or seen.observed_at,
        pods=last_run_pods(seen),
        endpoint=known.record.endpoint,
    )
    queued = QueuedStart(
        source=request.source,
        id=request.id,
        actor=request.actor,
        reason=command.reason,
        correlation_id=request.correlation_id,
        restore_autoscaling=command.restore_autoscaling,
        expires_at=request.expires_at,
    )
    if companion.queued == queued:
        return replace(known, changed=True)
    effect = note_patch(seen, companion.model_copy(update={"queued": queued, "sequence": request.sequence}))
    record = known.record.model_copy(update={"queued": True})
    return _asked(replace(known, record=record, effects=(effect,), changed=True), seen, request)


def _upkeep(known: Decision, seen: Observation, planned: Intent | None, noted: Run | None) -> Decision:
    """What is due without anybody asking: a queued start, a grace to finish, a pin that nobody needs.

    A queued start is noted in the record before it is done: its PATCH removes it from the model, so a crash right after
    would leave nobody who knows that it was done, by whom, and that no older command may undo it.
    A pin before its stop's PATCH is left alone for as long as the step that made it can be at work.
    """
    companion = seen.companion
    if seen.stop_wanted and known.record.state is State.STOPPED and companion and companion.queued:
        queued = companion.queued
        if queued.expires_at and queued.expires_at < seen.observed_at:
            note = note_patch(seen, companion.model_copy(update={"queued": None}))
            entry = _entry(known.record, seen, "expired", queued.actor, event=(queued.source, queued.id))
            record = known.record.model_copy(update={"queued": False})
            return replace(known, record=record, effects=(note,), audit=(*known.audit, entry))
        run = Run(
            since=seen.observed_at,
            actor=queued.actor,
            reason=queued.reason,
            key=f"{queued.source} {queued.id}",
            correlation_id=queued.correlation_id,
        )
        if noted is None or noted.key != run.key:
            return replace(known, record=known.record.model_copy(update={"start": run}), again=True)
        started = _started(known, seen, noted, restore_autoscaling=queued.restore_autoscaling)
        entry = _entry(started.record, seen, "start", queued.actor, event=(queued.source, queued.id), changed=True)
        return replace(started, audit=(*known.audit, entry))
    if not seen.stop_wanted and planned and planned.verb == "stop" and seen.observed_at - planned.at < _AT_WORK:
        return known
    return _finish_grace(known, seen)


def _without_left_behind(record: Record | None, seen: Observation) -> Observation:
    """A companion that was there while the model ran says nothing of a stop that somebody else set later."""
    stale = record and record.uid == seen.uid and seen.companion and record.left_behind == seen.companion.key
    return replace(seen, companion=None) if stale and seen.stop_wanted else seen


def _was_done(record: Record, request: Request) -> bool:
    """A delivery died after its PATCH was seen, or was done without Redis, and somebody else has changed the model since.

    Theirs came later.
    """
    return request.key in record.unrecorded or (request.redelivered and record.effective == request.key)


def _was_left_behind(seen: Observation, request: Request) -> bool:
    """Somebody else has removed this very stop, and not what was written beside it."""
    return seen.companion is not None and seen.companion.key == request.key


def _was_overtaken(seen: Observation, request: Request, planned: Intent | None) -> bool:
    """A delivery died after it had planned to remove one stop, and another was done meanwhile, without Redis.

    That one has no number that would say so, but it came later: this command was here before.
    """
    if planned is None or planned.run.key != request.key or seen.companion is None:
        return False
    return seen.companion.unrecorded and planned.over not in {None, seen.companion.key}


def _is_resumed(seen: Observation, request: Request | None) -> bool:
    """Whether the stop on the model is this very command's: an earlier delivery died after its PATCH."""
    if request is None or seen.companion is None or not seen.stop_wanted:
        return False
    return seen.companion.key == request.key


def _finish_grace(known: Decision, seen: Observation) -> Decision:
    """Go on where a step died, or where KServe was slow: end the pods of what is pinned, and unpin it."""
    if not seen.pins:
        return known
    owners = tuple(pin.owner for pin in seen.pins)
    grace = seen.companion.grace if seen.companion else None
    if seen.stop_wanted and grace is not None:
        return replace(known, effects=(*known.effects, EndPods(seen.ref, owners, grace)))
    return replace(known, effects=(*known.effects, UnpinOwners(seen.ref, owners)))


def _wanted_grace(seen: Observation, command: StopRequested) -> tuple[int | None, tuple[Owner, ...]]:
    """The grace in seconds, and what must be pinned to give it; (None, ()) where the pods' own is what is wanted.

    Without a timeout a pod keeps its own grace up to the default, as its owner set it; only a longer one is cut.
    """
    if not command.graceful:
        grace = FORCED_GRACE_SECONDS
    else:
        grace = round(command.timeout) if command.timeout is not None else DEFAULT_GRACE_SECONDS
    exact = not command.graceful or command.timeout is not None
    owners = {
        pod.owner
        for pod in seen.pods
        if pod.owner and not pod.deleting and (pod.grace != grace if exact else pod.grace > grace)
    }
    return (grace, tuple(sorted(owners, key=lambda owner: owner.name))) if owners else (None, ())


def _restored_autoscaler(record: Record, seen: Observation) -> Mapping[str, str | None]:
    """What a start without the autoscaler replaced; after a loss of Redis, managedFields still tell that it was us."""
    if record.autoscaler:
        return {AUTOSCALER_ANNOTATION: record.autoscaler.prior}
    if seen.autoscaler_is_ours:
        return {AUTOSCALER_ANNOTATION: None}
    return {}


def _already(record: Record) -> str:
    return f"It is {record.state} already. {record.message or ''}".strip()


def _asked(decision: Decision, seen: Observation, request: Request) -> Decision:
    """The audit line of the command itself."""
    entry = _entry(
        decision.record,
        seen,
        request.verb,
        request.actor,
        event=(request.source, request.id),
        changed=decision.changed,
        reason=request.command.reason,
        message=decision.note,
    )
    return replace(decision, audit=(*decision.audit, entry))


def _entry(
    record: Record,
    seen: Observation,
    action: str,
    actor: str,
    *,
    event: tuple[str, str],
    changed: bool = False,
    reason: str | None = None,
    message: str | None = None,
) -> AuditEntry:
    return AuditEntry(
        time=seen.observed_at,
        ref=seen.ref,
        action=action,
        actor=actor,
        state=record.state,
        source=event[0],
        event_id=event[1],
        changed=changed,
        reason=reason,
        message=message,
    )
