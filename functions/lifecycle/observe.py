"""What a look adds to the record: the state, the ledger of pods, and the events of every change that was seen.

This is level, not edge: the same look twice adds nothing, and a change that was made without us is adopted here.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from events.facts import ModelFact, ModelFailed, ModelStarted, ModelStarting, ModelStopped, ModelStopping
from events.model import ModelRef
from events.status import Hold, HoldKind, State
from functions.lifecycle.command_key import split_key
from functions.lifecycle.derive import Verdict, derive
from functions.lifecycle.effects import Action, AuditEntry, Published
from functions.lifecycle.heard import heard_of_members, heard_of_pods
from functions.lifecycle.observation import Observation
from functions.lifecycle.receipt import merge, seen_pod, write_receipt
from functions.lifecycle.record import Intent, Record, Run
from functions.lifecycle.reload_seen import reload_in_progress
from functions.lifecycle.saving import saved_by
from functions.lifecycle.scene import Limits
from functions.lifecycle.smoke_test import tried
from functions.lifecycle.start_deadline import learnt
from functions.lifecycle.verification import is_silent

_PLAN_IS_FRESH = timedelta(seconds=60)
UNRECORDED_KEPT = 8
_NO_ACTOR = Run(since=None, actor="modelswitch", key="")
_EVENTS = uuid.uuid5(uuid.NAMESPACE_URL, "https://modelswitch.dev/facts")  # never changes: repeats share an id


def publish(ref: ModelRef, event: ModelFact, run: Run, time: datetime, discriminator: str = "") -> Published:
    """An event whose id derives from what caused it: a repeat after a crash is the same event.

    It names who claims to be whom.
    """
    event = event.model_copy(update={"claimed_actor": run.claimed_actor})
    identity = uuid.uuid5(_EVENTS, f"{run.key} {ref.subject} {event.type} {discriminator}")
    return Published(str(identity), ref, event, time, run.correlation_id)


@dataclass(frozen=True)
class Seen:
    """The record after a look, and what the look makes known."""

    record: Record
    events: tuple[Published, ...] = ()
    audit: tuple[AuditEntry, ...] = ()


def _stop_run(seen: Observation, record: Record) -> Run:
    """The stop that the cluster shows: ours if it has a stop note, else another client's; kept while it is the same one."""
    stop_note = seen.stop_note
    if stop_note and _is_remembered(seen, record) and record.stop:
        return record.stop
    first_seen = seen.observed_at if record.state is not None else None
    if stop_note:
        hold = stop_note.holds[0] if stop_note.holds else None
        return Run(
            since=stop_note.since if stop_note.signed else first_seen,
            actor=hold.actor if hold else "modelswitch",
            claimed_actor=hold.claimed_actor if hold else None,
            reason=hold.reason if hold else None,
            key=stop_note.key,
            correlation_id=stop_note.correlation_id,
            grace=stop_note.grace,
            ours=stop_note.signed,
        )
    if record.stop and not record.stop.ours:
        return record.stop
    return Run(
        since=first_seen,
        actor=f"external:{seen.stop_actor or 'unknown'}",
        key=f"external {seen.uid} {seen.version}",
        ours=False,
    )


def _is_remembered(seen: Observation, record: Record) -> bool:
    """Whether the stop in a note that we have not signed is one that we have recorded: then it is known who asked for
    it.
    """
    stop_note = seen.stop_note
    if stop_note is None or stop_note.signed or record.stop is None or record.uid != seen.uid:
        return False
    return record.stop.key == stop_note.key


def _holds(seen: Observation, run: Run | None, record: Record) -> tuple[Hold, ...]:
    """Holds left behind on a running model count for nothing."""
    if run is None:
        return ()
    if _is_remembered(seen, record):
        return record.holds
    if seen.stop_note and seen.stop_note.signed:
        return seen.stop_note.holds
    if seen.stop_note:
        return tuple(hold.model_copy(update={"since": run.since}) for hold in seen.stop_note.holds)
    return (Hold(kind=HoldKind.EXTERNAL, actor=run.actor, since=run.since),)


def _start_run(seen: Observation, record: Record, planned: Intent | None) -> Run | None:
    """A start in progress: the one that was accepted, one that died after its PATCH, or another actor's."""
    if record.start:
        return record.start
    if record.desired == "stopped":
        if planned and planned.verb == "start" and seen.observed_at - planned.at < _PLAN_IS_FRESH:
            return planned.run
        return Run(
            since=seen.observed_at,
            actor=f"external:{seen.stop_actor or 'unknown'}",
            key=f"external {seen.uid} {seen.version}",
            ours=False,
        )
    return None


def _sequence(seen: Observation, record: Record, planned: Intent | None) -> int:
    """Also of a command that died before it could say so: its mark on the cluster, or its plan.

    A plan by event counts whether it was carried out or not: the broker delivers it again, and nothing older may come in
    between. A plan over REST may have been given up, so it counts where it can have been carried out: a start, once
    the stop is gone.
    """
    marked = seen.stop_note.sequence if seen.stop_wanted and seen.stop_note else 0
    counts = planned and (planned.by_event or (planned.verb == "start" and not seen.stop_wanted))
    return max(record.sequence, marked, planned.sequence if planned and counts else 0)


def _effective(seen: Observation, record: Record, start: Run | None) -> str | None:
    """So that a command which comes again is known as done, also if another actor has undone it since."""
    if seen.stop_wanted:
        return seen.stop_note.key if seen.stop_note else record.effective
    return start.key if start and start.ours else record.effective


def _unrecorded(seen: Observation, record: Record) -> tuple[str, ...]:
    """With the stop that is seen, or was left behind, where Redis was away when it was done: it may come again under its key."""
    stop_note = seen.stop_note
    if stop_note is None:
        return record.unrecorded
    told = (*((stop_note.key,) if stop_note.unrecorded else ()), *stop_note.also)
    return (*record.unrecorded, *(key for key in told if key not in record.unrecorded))[-UNRECORDED_KEPT:]


def observe(
    record: Record | None,
    seen: Observation,
    limits: Limits,
    planned: Intent | None = None,
    *,
    resumed: bool = False,
) -> Seen:
    """The record brought up to this look. A model that was made before modelswitch, or created again under the same name,
    begins an empty one.

    `resumed`: the stop that is seen is the very command at hand, which died after its PATCH: no adoption, its own work.
    """
    before = record if record and record.uid == seen.uid else Record(ref=seen.ref, uid=seen.uid)
    stop = _stop_run(seen, before) if seen.stop_wanted else None
    start = None if seen.stop_wanted else _start_run(seen, before, planned)
    known = before.state is not None or resumed
    changed_hands = known and (before.desired == "stopped") != seen.stop_wanted
    pods = merge(before.pods, seen) if seen.stop_wanted else {pod.uid: seen_pod(pod) for pod in seen.pods}
    now = seen.observed_at
    looked = before.model_copy(
        update={
            "version": seen.version,
            "pods_version": seen.pods_version,
            "desired": "stopped" if seen.stop_wanted else "running",
            "gpus": seen.gpus,
            "gpus_exact": seen.gpus_exact,
            "memory": seen.memory,
            "endpoint": seen.url or (seen.stop_note.endpoint if seen.stop_note else None) or before.endpoint,
            "holds": _holds(seen, stop, before),
            "queued": bool(seen.stop_wanted and seen.stop_note and seen.stop_note.queued),
            "labels": dict(seen.labels),
            "pods": pods,
            "stop": stop,
            "start": start,
            "sequence": _sequence(seen, before, planned),
            "effective": _effective(seen, before, start),
            "unrecorded": _unrecorded(seen, before),
            "unanswered_since": (before.unanswered_since or now) if is_silent(seen) else None,
            "heard": heard_of_pods(seen, before.heard),
            "heard_members": heard_of_members(seen, before.heard_members),
            "smoke_tests": tried(before, seen),
            "artifacts": seen.artifacts,
            "digest": seen.digest,
            "reload": reload_in_progress(seen, before, planned, known=before.state is not None),
            "left_behind": before.left_behind if seen.stop_wanted else seen.stop_note and seen.stop_note.key,
            "observed_at": now,
        }
    )
    verdict = derive(seen, looked, limits)
    moved = verdict.state is not before.state
    ended = (looked.start.since if looked.start else None) or now
    after = looked.model_copy(
        update={
            "state": verdict.state,
            "reason": verdict.reason,
            "message": verdict.message,
            "since": now if moved or before.since is None else before.since,
            "available": verdict.state is State.RUNNING and verdict.reason != "Asleep" and bool(looked.endpoint),
            "start": None if verdict.state is State.RUNNING else looked.start,
            "start_seconds": learnt(looked.start_seconds, looked.start, seen.pods, now)
            if verdict.state is State.RUNNING
            else looked.start_seconds,
            "saved": before.saved if verdict.state is State.STOPPED else saved_by(before, ended),
        }
    )
    after = _with_receipt(after, before, now, known=known)
    events = _events(after, before, looked, verdict, changed_hands=changed_hands) if known else ()
    return Seen(after, events, _audit(after, before, looked, changed_hands=changed_hands))


def _with_receipt(after: Record, before: Record, now: datetime, *, known: bool) -> Record:
    if after.state is not State.STOPPED or after.stop is None:
        return after
    if before.state is State.STOPPED and before.stop and before.stop.key == after.stop.key:
        return after
    if not known and not after.pods:
        return after.model_copy(update={"receipt": None})
    receipt = write_receipt(after.pods, after.stop, now, complete=after.stop.ours or after.stop.since is not None)
    if not known:
        receipt = receipt.model_copy(update={"seconds": None})
    return after.model_copy(update={"receipt": receipt, "pods": {}})


def _events(
    after: Record, before: Record, looked: Record, verdict: Verdict, *, changed_hands: bool
) -> tuple[Published, ...]:
    now = after.observed_at
    if now is None:
        return ()
    events: list[Published] = []

    def add(event: ModelFact, run: Run, discriminator: str = "") -> None:
        events.append(publish(after.ref, event, run, now, discriminator))

    if changed_hands and looked.stop:
        add(_stopping(looked.stop, len(looked.pods)), looked.stop)
    if changed_hands and looked.start:
        add(ModelStarting(actor=looked.start.actor), looked.start)
    if after.state is before.state:
        return tuple(events)
    if after.state is State.STOPPED and after.stop and after.receipt:
        stopped = ModelStopped(actor=after.stop.actor, reason=after.stop.reason, receipt=after.receipt)
        add(stopped, after.stop, str(after.version) if _ended_before(before, after.stop) else "")
    if after.state is State.RUNNING:
        run = looked.start or Run(since=None, actor="modelswitch", key=f"healed {after.uid} {after.version}")
        seconds = round((now - run.since).total_seconds(), 3) if run.since else None
        add(ModelStarted(actor=run.actor, reason=run.reason, seconds=seconds), run)
    if after.state is State.ERROR:
        run = looked.stop or looked.start or Run(since=None, actor="modelswitch", key=f"failed {after.uid}")
        add(_failed(after, run, verdict), run, f"{after.reason} {now.isoformat()}")
    return tuple(events)


def _ended_before(before: Record, stop: Run) -> bool:
    """Whether this very stop had ended once already: the model was started and stopped between two looks."""
    return bool(before.receipt and stop.since and before.receipt.stopped_at >= stop.since)


def _stopping(run: Run, pods: int) -> ModelStopping:
    grace = f"{run.grace}s" if run.grace is not None else None
    return ModelStopping(actor=run.actor, reason=run.reason, pods=pods, grace=grace)


def _failed(after: Record, run: Run, verdict: Verdict) -> ModelFailed:
    return ModelFailed(
        actor=run.actor,
        code=verdict.reason or "Unknown",
        message=verdict.what or "The model is in error.",
        next_action=verdict.next or "Look at the model's pods and at what KServe says in the resource's status.",
        during="stop" if after.desired == "stopped" else "start" if after.start else "run",
    )


def _audit(after: Record, before: Record, looked: Record, *, changed_hands: bool) -> tuple[AuditEntry, ...]:
    now = after.observed_at
    if now is None:
        return ()
    entries: list[AuditEntry] = []
    run = looked.stop or looked.start
    by = run or _NO_ACTOR
    if before.state is None:
        entries.append(_entry(after, Action.ADOPTED, by, now))
    elif changed_hands:
        entries.append(
            _handed_over(_entry(after, Action.STOP if looked.stop else Action.START, by, now, changed=True), run)
        )
    if before.state is not None and (after.state is not before.state or after.reason != before.reason):
        entries.append(_entry(after, Action.STATE, by, now, previous=before.state))
    return tuple(entries)


def _handed_over(entry: AuditEntry, run: Run | None) -> AuditEntry:
    """A command of ours whose own commit is still to come, or never will: its id and its reason are known all the same."""
    if run is None or not run.ours:
        return entry
    source, event_id = split_key(run.key)
    return replace(entry, source=source, event_id=event_id, reason=run.reason, correlation_id=run.correlation_id)


def _entry(
    record: Record, action: str, run: Run, time: datetime, *, previous: str | None = None, changed: bool = False
) -> AuditEntry:
    return AuditEntry(
        time=time,
        ref=record.ref,
        action=action,
        actor=run.actor,
        claimed_actor=run.claimed_actor,
        state=record.state,
        previous=previous,
        reason=record.reason,
        message=record.message,
        changed=changed,
    )
