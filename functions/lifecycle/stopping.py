"""What a stop comes to: the annotation, who holds the model, and the grace of its pods."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from events.commands import StopRequested
from events.facts import ModelStopping
from events.status import Hold, HoldKind, State
from functions.lifecycle.decision import Decision, already, asked, was_done
from functions.lifecycle.effects import Effect, EndPods, PinOwners, UnpinOwners
from functions.lifecycle.observation import AUTOSCALER_ANNOTATION, Observation, Owner
from functions.lifecycle.observe import UNRECORDED_KEPT, publish
from functions.lifecycle.patches import note_patch, stop_patch
from functions.lifecycle.reasons import Reason
from functions.lifecycle.receipt import last_run_pods
from functions.lifecycle.record import Intent, Record, Run
from functions.lifecycle.refusals import refuse_stop
from functions.lifecycle.request import Request
from functions.lifecycle.scene import DEFAULT_GRACE_SECONDS
from functions.lifecycle.stop_note import QueuedStart, StopNote

FORCED_GRACE_SECONDS = 1


def take_stop(known: Decision, seen: Observation, request: Request, command: StopRequested) -> Decision:
    stop_note = seen.stop_note
    if is_resumed(seen, request):
        return asked(replace(finish_grace(known, seen), changed=True), seen, request)
    if was_done(known.record, request) or _was_left_behind(seen, request):
        return asked(replace(known, changed=True), seen, request)
    if seen.stop_wanted:
        if stop_note and stop_note.queued:
            holds = _held_from_now(stop_note, request, command, seen)
            written = {"queued": None, "sequence": request.sequence, "holds": holds}
            effect = note_patch(seen, stop_note.model_copy(update=written))
            record = known.record.model_copy(update={"queued": False, "holds": holds, "reload": None})
            return asked(replace(known, record=record, effects=(effect,), changed=True), seen, request)
        if not seen.unusable_note:
            return asked(replace(known, note=already(known.record), effects=_noted(seen, request)), seen, request)
    else:
        refuse_stop(seen, command)
    hold = _hold(request, command, seen)
    begun = begin_stop(known, seen, Stopping.asked_for(request, command, hold))
    return asked(replace(begun, note=_gives_less(seen, command)), seen, request)


def _gives_less(seen: Observation, command: StopRequested) -> str | None:
    """What is to be said where a timeout is asked for and servers end requests before it."""
    if not command.graceful or command.timeout is None:
        return None
    limits = [pod.server_seconds for pod in seen.pods if pod.server_seconds is not None]
    shortest = min(limits, default=None)
    if shortest is None or shortest >= command.timeout:
        return None
    return (
        f"Its server ends requests in flight after {shortest} s, not {command.timeout:g} s: its own timeout was set when its "
        "pods were made. Set a longer terminationGracePeriodSeconds in the model's template for more."
    )


def _noted(seen: Observation, request: Request) -> tuple[Effect, ...]:
    """A stop that has nothing to do while Redis is away is written beside the one that did it.

    Without that note a repeat of it after a start would not be known as answered.
    """
    stop_note = seen.stop_note
    if request.sequence or stop_note is None or request.key in stop_note.also:
        return ()
    also = (*stop_note.also, request.key)[-UNRECORDED_KEPT:]
    return (note_patch(seen, stop_note.model_copy(update={"also": also})),)


def _held_from_now(
    stop_note: StopNote, request: Request, command: StopRequested, seen: Observation
) -> tuple[Hold, ...]:
    """A stop that was only for a reload becomes the stop of the actor who wants the model to stay down."""
    if any(hold.kind is not HoldKind.ROTATION for hold in stop_note.holds):
        return stop_note.holds
    return (_hold(request, command, seen),)


def _hold(request: Request, command: StopRequested, seen: Observation) -> Hold:
    return Hold(
        kind=HoldKind.USER,
        actor=request.actor,
        claimed_actor=request.claimed_actor,
        reason=command.reason,
        since=seen.observed_at,
    )


@dataclass(frozen=True)
class Stopping:
    """Who stops a model, and how. `queued`: a start that waits for the last pod. `others`: annotations set along with it."""

    command: StopRequested
    hold: Hold
    source: str
    id: str
    sequence: int
    unrecorded: bool = False
    correlation_id: str | None = None
    by_event: bool = False
    queued: QueuedStart | None = None
    others: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def asked_for(cls, request: Request, command: StopRequested, hold: Hold) -> Self:
        return cls(
            command=command,
            hold=hold,
            source=request.source,
            id=request.id,
            sequence=request.sequence,
            unrecorded=not request.sequence,
            correlation_id=request.correlation_id,
            by_event=request.by_event,
        )


def begin_stop(known: Decision, seen: Observation, stopping: Stopping) -> Decision:
    """Take the model down, and write on it why and what ran."""
    now, hold = seen.observed_at, stopping.hold
    grace, owners = _wanted_grace(seen, stopping.command)
    written = StopNote(
        holds=(hold,),
        source=stopping.source,
        command=stopping.id,
        sequence=stopping.sequence,
        unrecorded=stopping.unrecorded,
        since=now,
        correlation_id=stopping.correlation_id,
        grace=grace,
        pods=last_run_pods(seen),
        endpoint=known.record.endpoint,
        prior_stop=None if seen.stop_wanted else seen.stop_annotation,
        queued=stopping.queued,
    )
    run = Run(
        since=now,
        actor=hold.actor,
        claimed_actor=hold.claimed_actor,
        reason=hold.reason,
        key=written.key,
        correlation_id=stopping.correlation_id,
        grace=grace,
    )
    patch = stop_patch(seen, written, {**_restored_autoscaler(known.record, seen), **stopping.others})
    effects: tuple[Effect, ...] = (patch,)
    if owners and grace is not None:
        effects = (PinOwners(seen.ref, owners), patch, EndPods(seen.ref, owners, grace))
    after = known.record.model_copy(
        update={
            "state": State.STOPPING,
            "reason": Reason.DRAINING if seen.pods else Reason.AWAITING_KSERVE,
            "message": "The stop is accepted.",
            "since": now,
            "desired": "stopped",
            "available": False,
            "holds": (hold,),
            "queued": stopping.queued is not None,
            "stop": run,
            "start": None,
            "reload": None,
            "autoscaler": None,
            "effective": run.key,
            "left_behind": None,
        }
    )
    event = ModelStopping(
        actor=hold.actor,
        reason=hold.reason,
        pods=len(seen.pods),
        grace=f"{grace}s" if grace is not None else None,
    )
    return replace(
        known,
        record=after,
        effects=effects,
        events=(*known.events, publish(seen.ref, event, run, now)),
        changed=True,
        intent=Intent(verb="stop", at=now, run=run, sequence=stopping.sequence, by_event=stopping.by_event),
    )


def _was_left_behind(seen: Observation, request: Request) -> bool:
    """Another actor has removed this very stop, and not what was written beside it."""
    return seen.stop_note is not None and seen.stop_note.key == request.key


def is_resumed(seen: Observation, request: Request | None) -> bool:
    """Whether the stop on the model is this very command's: an earlier delivery died after its PATCH."""
    if request is None or seen.stop_note is None or not seen.stop_wanted:
        return False
    return seen.stop_note.key == request.key


def finish_grace(known: Decision, seen: Observation) -> Decision:
    """Go on where a step died, or where KServe was slow: end the pods of what is pinned, and unpin it."""
    if not seen.pins:
        return known
    owners = tuple(pin.owner for pin in seen.pins)
    grace = seen.stop_note.grace if seen.stop_note else None
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
