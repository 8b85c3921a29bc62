"""What an accepted start leaves, to the last field, at once or queued until the last pod is gone."""

import pytest
from builders import (
    LIMITS,
    NOW,
    REF,
    REPLICA_SET,
    a_pod,
    a_stop_note,
    later,
    patched,
    running,
    start,
    stop_note_in,
    stop_set,
    terminating,
)

from events.facts import ModelStarting
from events.status import Hold, HoldKind, State
from functions.lifecycle.decide import decide
from functions.lifecycle.effects import AuditEntry, UnpinOwners
from functions.lifecycle.observation import Pin
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Autoscaler, Intent, Run
from functions.lifecycle.stop_note import QueuedStart

SEEN = stop_set(stop_note=a_stop_note(), observed_at=later(60))
STOPPED = observe(None, SEEN, LIMITS).record
DRAINING = stop_set(terminating(a_pod()), stop_note=a_stop_note(), observed_at=later(60))
RUN = Run(since=later(60), actor="pipeline", reason="retrained", key="/test start-1", correlation_id="corr-1")
QUEUED = QueuedStart(
    source="/p", id="start-9", actor="pipeline", reason="retrained", correlation_id="corr-9", expires_at=later(60)
)


def a_start(**changes):
    return start(reason="retrained", correlation_id="corr-1", sequence=7, **changes)


def entry(action, **changes):
    values = {"time": later(60), "ref": REF, "action": action, "actor": "pipeline"}
    return AuditEntry(**{**values, "source": "/test", "event_id": "start-1", "correlation_id": "corr-1", **changes})


def waiting(queued, *pods):
    return stop_set(*pods, stop_note=a_stop_note(queued=queued), observed_at=later(60))


def test_the_status_says_at_once_that_it_is_starting_and_nothing_holds_it():
    seen = stop_set(stop_note=a_stop_note(), observed_at=later(90))
    decision = decide(STOPPED, seen, a_start(), LIMITS)
    status = decision.record.status()
    assert (status.state, status.reason, status.message) == (
        State.STARTING,
        "AwaitingKServe",
        "The start is accepted.",
    )
    assert (status.desired, status.last_transition, status.holds, status.queued) == ("running", later(90), (), False)
    assert status.receipt.gpus == 1
    assert decision.due == later(91)


def test_the_record_knows_the_start_its_place_in_the_order_and_that_it_took_effect():
    ignored = stop_set(a_pod(), stop_note=a_stop_note(queued=QUEUED), said=False, observed_at=later(200))
    after = decide(STOPPED, ignored, a_start(), LIMITS).record
    assert (after.stop, after.start, after.effective, after.sequence) == (
        None,
        RUN.model_copy(update={"since": later(200)}),
        "/test start-1",
        7,
    )
    assert (after.pods, after.queued, after.holds) == ({}, False, ())


@pytest.mark.parametrize(("restore", "prior", "kept"), [(True, "hpa", None), (False, "hpa", Autoscaler(prior="hpa"))])
@pytest.mark.parametrize("by_event", [True, False])
def test_the_plan_has_all_that_a_crash_would_lose(restore, prior, kept, by_event):
    seen = stop_set(stop_note=a_stop_note(), observed_at=later(60), autoscaler=prior)
    request = a_start(restore_autoscaling=restore, by_event=by_event)
    decision = decide(STOPPED, seen, request, LIMITS)
    assert decision.intent == Intent(
        verb="start", at=later(60), run=RUN, sequence=7, by_event=by_event, autoscaler=kept, over=a_stop_note().key
    )
    assert decision.record.autoscaler == kept


def test_starting_is_published_with_who_and_why():
    (published,) = decide(STOPPED, SEEN, a_start(), LIMITS).events
    assert published.event == ModelStarting(actor="pipeline", reason="retrained")
    assert (published.ref, published.time, published.correlation_id) == (REF, later(60), "corr-1")


def test_the_history_says_who_started_it_and_why():
    decision = decide(STOPPED, SEEN, a_start(), LIMITS)
    assert decision.audit == (entry("start", state="starting", changed=True, reason="retrained"),)


def test_a_start_tells_also_what_its_look_found_out():
    draining = observe(None, DRAINING, LIMITS).record
    decision = decide(draining, SEEN, a_start(), LIMITS)
    assert [published.event.type.split(".")[-2] for published in decision.events] == ["stopped", "starting"]
    assert [one.action for one in decision.audit] == ["state", "start"]


def test_a_start_of_what_runs_says_so_and_is_kept_in_the_history_as_no_change():
    ran = observe(None, running(), LIMITS).record
    decision = decide(ran, running(observed_at=later(60)), a_start(), LIMITS)
    note = "It is running already."
    assert decision.note == note
    assert decision.audit == (entry("start", state="running", reason="retrained", message=note),)


def test_only_a_plan_of_the_same_command_makes_a_start_of_what_runs_its_own():
    planned = Intent(verb="start", at=NOW, run=RUN)
    ran = observe(None, running(), LIMITS).record
    resumed = decide(ran, running(observed_at=later(60)), a_start(), LIMITS, planned)
    assert resumed.note is None
    assert resumed.audit == (entry("start", state="running", changed=True, reason="retrained"),)
    assert not decide(ran, running(), a_start(id="start-2"), LIMITS, planned).changed


def test_a_start_that_comes_again_after_somebody_undid_it_is_answered_as_done():
    undone = observe(None, stop_set(stop_actor="kubectl"), LIMITS).record.model_copy(
        update={"effective": "/test start-1"}
    )
    seen = stop_set(stop_actor="kubectl", observed_at=later(60))
    decision = decide(undone, seen, a_start(redelivered=True), LIMITS)
    assert (decision.changed, decision.effects) == (True, ())
    assert decision.audit == (entry("start", state="stopped", changed=True, reason="retrained"),)


def test_a_queued_start_is_written_down_whole_and_takes_its_place_in_the_order():
    request = a_start(queue=True, restore_autoscaling=False, expires_at=later(600))
    decision = decide(None, DRAINING, request, LIMITS)
    after = stop_note_in(patched(dict(DRAINING.annotations), decision.effects[0].operations))
    assert after["sequence"] == 7
    assert after["command"] == "stop-1"
    assert after["queued"] == {
        "source": "/test",
        "id": "start-1",
        "actor": "pipeline",
        "reason": "retrained",
        "correlation_id": "corr-1",
        "restore_autoscaling": False,
        "expires_at": "2026-03-01T12:10:00Z",
    }
    assert decision.audit[-1] == entry("start", state="stopping", changed=True, reason="retrained")


def test_a_queued_start_that_comes_again_is_there_already():
    request = a_start(queue=True)
    first = decide(None, DRAINING, request, LIMITS)
    annotations = patched(dict(DRAINING.annotations), first.effects[0].operations)
    stop_note = a_stop_note().parse(annotations["modelswitch.dev/stop"])
    seen = stop_set(terminating(a_pod()), stop_note=stop_note, observed_at=later(61))
    again = decide(first.record, seen, request, LIMITS)
    assert (again.changed, again.effects, again.record.queued) == (True, (), True)


@pytest.mark.parametrize(("begun", "since"), [(True, later(60)), (False, later(70))])
def test_a_queued_start_of_somebody_else_s_stop_adopts_it_with_what_is_known(begun, since):
    theirs = stop_set(terminating(a_pod()), stop_actor="kubectl", observed_at=later(60))
    known = observe(observe(None, running(), LIMITS).record if begun else None, theirs, LIMITS).record
    seen = stop_set(terminating(a_pod()), stop_actor="kubectl", observed_at=later(70))
    decision = decide(known, seen, a_start(queue=True), LIMITS)
    after = a_stop_note().parse(patched(dict(seen.annotations), decision.effects[0].operations)["modelswitch.dev/stop"])
    hold = Hold(kind=HoldKind.EXTERNAL, actor="external:kubectl", since=later(60) if begun else None)
    assert after.holds == (hold,)
    assert (after.source, after.command, after.since) == ("/test", "adopted start-1", since)
    assert [pod.name for pod in after.pods] == ["scorer-0"]
    assert after.endpoint == ("http://scorer.fraud.example.com" if begun else None)


def test_a_queued_start_is_noted_with_who_and_why_and_done_when_the_record_knows_of_it():
    seen = waiting(QUEUED)
    run = Run(since=later(60), actor="pipeline", reason="retrained", key="/p start-9", correlation_id="corr-9")
    noted = decide(STOPPED, seen, None, LIMITS)
    assert (noted.record.start, noted.again, noted.due) == (run, True, later(60))
    done = decide(noted.record, seen, None, LIMITS)
    assert (done.record.start, done.again, done.changed) == (run, False, True)
    assert done.events[-1].event == ModelStarting(actor="pipeline", reason="retrained")
    assert done.events[-1].correlation_id == "corr-9"
    assert done.audit == (
        entry("start", state="starting", changed=True, source="/p", event_id="start-9", correlation_id="corr-9"),
    )


def test_a_queued_start_is_done_with_the_autoscaler_or_without_as_it_was_asked():
    for restore in (True, False):
        seen = waiting(QUEUED.model_copy(update={"restore_autoscaling": restore}))
        noted = decide(STOPPED, seen, None, LIMITS)
        done = decide(noted.record, seen, None, LIMITS)
        assert (done.record.autoscaler is None) is restore


def test_a_queued_start_lives_until_its_end_and_is_then_withdrawn_and_said():
    assert decide(STOPPED, waiting(QUEUED), None, LIMITS).again
    seen = waiting(QUEUED.model_copy(update={"expires_at": later(59)}))
    known = observe(STOPPED, seen, LIMITS).record
    assert known.queued
    decision = decide(known, seen, None, LIMITS)
    assert not decision.record.queued
    assert decision.record.state is State.STOPPED
    assert decision.audit == (
        entry("expired", state="stopped", source="/p", event_id="start-9", correlation_id="corr-9"),
    )
    assert stop_note_in(patched(dict(seen.annotations), decision.effects[0].operations))["command"] == "stop-1"


def test_another_start_noted_before_is_not_taken_for_the_queued_one():
    noted = decide(STOPPED, waiting(QUEUED), None, LIMITS).record
    other = waiting(QUEUED.model_copy(update={"id": "start-10"}))
    again = decide(noted, other, None, LIMITS)
    assert (again.again, again.effects, again.record.start.key) == (True, (), "/p start-10")


def test_a_model_made_anew_does_not_inherit_what_was_noted_of_the_old_one():
    noted = decide(STOPPED, waiting(QUEUED), None, LIMITS).record
    anew = stop_set(stop_note=a_stop_note(queued=QUEUED), observed_at=later(60), uid="model-2")
    assert decide(noted, anew, None, LIMITS).again


def test_what_is_pinned_without_a_stop_is_let_go_and_looked_at_again_at_once():
    seen = running(pins=(Pin(REPLICA_SET, False),), stop_note=a_stop_note(grace=1))
    decision = decide(None, seen, None, LIMITS)
    assert decision.effects == (UnpinOwners(REF, (REPLICA_SET,)),)
    assert decision.due == seen.observed_at


def test_a_pin_of_a_stop_that_wants_the_pods_own_grace_is_let_go():
    seen = stop_set(a_pod(), stop_note=a_stop_note(), said=False, pins=(Pin(REPLICA_SET, True),))
    assert decide(None, seen, None, LIMITS).effects == (UnpinOwners(REF, (REPLICA_SET,)),)


@pytest.mark.parametrize(("verb", "seconds", "left"), [("stop", 14, True), ("stop", 15, False), ("start", 14, False)])
def test_a_pin_whose_stop_may_still_be_at_work_is_left_alone_for_fifteen_seconds(verb, seconds, left):
    planned = Intent(verb=verb, at=NOW, run=RUN)
    seen = running(pins=(Pin(REPLICA_SET, False),), observed_at=later(seconds))
    assert (decide(None, seen, None, LIMITS, planned).effects == ()) is left
