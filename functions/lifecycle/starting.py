"""What a start comes to: at once, or kept on the model until the last pod is gone."""

from dataclasses import replace

from events.commands import StartRequested
from events.facts import ModelStarting
from events.status import State
from functions.lifecycle.decision import Decision, already, asked, was_done
from functions.lifecycle.effects import Effect, UnpinOwners
from functions.lifecycle.errors import Superseded
from functions.lifecycle.observation import Observation
from functions.lifecycle.observe import publish
from functions.lifecycle.patches import note_patch, start_patch
from functions.lifecycle.reasons import Reason
from functions.lifecycle.receipt import last_run_pods
from functions.lifecycle.record import Autoscaler, Intent, Run
from functions.lifecycle.refusals import refuse_start
from functions.lifecycle.request import Request
from functions.lifecycle.saving import saved_by
from functions.lifecycle.stop_note import QueuedStart, StopNote

EXTERNAL = "external"
"""What a start planned to remove, where the stop was not one of ours."""


def take_start(
    known: Decision, seen: Observation, request: Request, command: StartRequested, planned: Intent | None
) -> Decision:
    if not seen.stop_wanted:
        if planned and planned.run.key == request.key:
            return asked(replace(known, changed=True), seen, request)
        return asked(replace(known, note=already(known.record)), seen, request)
    if was_done(known.record, request):
        return asked(replace(known, changed=True), seen, request)
    if _was_overtaken(seen, request, planned):
        raise Superseded
    refuse_start(known.record, seen, request, command)
    if not known.record.can_start:
        return _queue(known, seen, request, command)
    run = request.run(seen.observed_at)
    started = begin_start(known, seen, run, restore_autoscaling=command.restore_autoscaling)
    if started.intent:
        started = replace(
            started,
            intent=started.intent.model_copy(update={"sequence": request.sequence, "by_event": request.by_event}),
        )
    return asked(started, seen, request)


def begin_start(known: Decision, seen: Observation, run: Run, *, restore_autoscaling: bool) -> Decision:
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
            "reason": Reason.AWAITING_KSERVE,
            "message": "The start is accepted.",
            "since": now,
            "desired": "running",
            "holds": (),
            "stop": None,
            "start": run,
            "queued": False,
            "saved": saved_by(known.record, run.since or now),
            "pods": {},
            "autoscaler": autoscaler,
            "effective": run.key,
        }
    )
    event = ModelStarting(actor=run.actor, reason=run.reason)
    return replace(
        known,
        record=after,
        effects=tuple(effects),
        events=(*known.events, publish(seen.ref, event, run, now)),
        changed=True,
        intent=Intent(
            verb="start",
            at=now,
            run=run,
            autoscaler=autoscaler,
            over=seen.stop_note.key if seen.stop_note else EXTERNAL,
        ),
    )


def _queue(known: Decision, seen: Observation, request: Request, command: StartRequested) -> Decision:
    """Keep the start on the model itself: the process that sees the last pod go carries it out."""
    run = known.record.stop
    stop_note = seen.stop_note or StopNote(
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
        claimed_actor=request.claimed_actor,
        reason=command.reason,
        correlation_id=request.correlation_id,
        restore_autoscaling=command.restore_autoscaling,
        expires_at=request.expires_at,
    )
    if stop_note.queued == queued:
        return asked(replace(known, changed=True), seen, request)
    effect = note_patch(seen, stop_note.model_copy(update={"queued": queued, "sequence": request.sequence}))
    record = known.record.model_copy(update={"queued": True})
    return asked(replace(known, record=record, effects=(effect,), changed=True), seen, request)


def _was_overtaken(seen: Observation, request: Request, planned: Intent | None) -> bool:
    """A stop was done without Redis after this command had arrived: one without a number that would say so.

    By the clocks: the command waited in line, or its delivery died before it planned anything. By the plan: it had
    planned to remove another stop than the one that is there now.
    """
    stop_note = seen.stop_note
    if stop_note is None or not stop_note.unrecorded or not request.redelivered:
        return False
    if request.first_seen and stop_note.since > request.first_seen:
        return True
    return planned is not None and planned.run.key == request.key and planned.over not in {None, stop_note.key}
