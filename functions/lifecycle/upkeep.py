"""What is due without a request: a queued start, a grace to finish, a pin that is no longer needed."""

from dataclasses import replace

from events.status import State
from functions.lifecycle.command_key import join_key
from functions.lifecycle.decision import Decision, run_entry, to_be_audited
from functions.lifecycle.effects import Action
from functions.lifecycle.observation import Observation
from functions.lifecycle.patches import note_patch
from functions.lifecycle.record import Intent, Run
from functions.lifecycle.starting import begin_start
from functions.lifecycle.stopping import finish_grace


def keep_up(known: Decision, seen: Observation, planned: Intent | None, noted: Run | None) -> Decision:
    """What is due without a request: a queued start, a grace to finish, a pin that is no longer needed.

    A queued start is noted in the record before it is done: its PATCH removes it from the model, so after a crash
    nothing else would say that it was done, by whom, and that no older command may undo it.
    A pin before its stop's PATCH is left alone for as long as the step that made it can be at work.
    """
    stop_note = seen.stop_note
    if seen.stop_wanted and known.record.state is State.STOPPED and stop_note and stop_note.queued:
        queued = stop_note.queued
        run = Run(
            since=seen.observed_at,
            actor=queued.actor,
            claimed_actor=queued.claimed_actor,
            reason=queued.reason,
            key=join_key(queued.source, queued.id),
            correlation_id=queued.correlation_id,
        )
        if queued.expires_at and queued.expires_at < seen.observed_at:
            note = note_patch(seen, stop_note.model_copy(update={"queued": None}))
            entry = run_entry(known.record, seen, Action.EXPIRED, run)
            record = known.record.model_copy(update={"queued": False})
            return replace(known, record=record, effects=(note,), audit=(*known.audit, entry))
        if noted is None or noted.key != run.key:
            record = to_be_audited(known.record.model_copy(update={"start": run}), "start", run.key)
            return replace(known, record=record, again=True)
        started = begin_start(known, seen, noted, restore_autoscaling=queued.restore_autoscaling)
        entry = run_entry(started.record, seen, Action.START, run, changed=True)
        return replace(started, audit=(*known.audit, entry))
    beginning = planned and planned.verb in {"stop", "reload"} and planned.may_be_at_work(seen.observed_at)
    if beginning and not seen.stop_wanted:
        return known
    return finish_grace(known, seen)
