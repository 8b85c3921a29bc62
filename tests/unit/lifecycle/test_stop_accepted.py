"""What an accepted stop leaves, to the last field: the record that is shown, the stop note, the plan, event and history."""

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
    stop,
    stop_note_in,
    stop_set,
    terminating,
)

from events.facts import ModelStopping
from events.status import Hold, HoldKind, State
from functions.lifecycle.decide import decide
from functions.lifecycle.effects import AuditEntry, EndPods, PatchModel, PinOwners
from functions.lifecycle.observation import Answer, Owner, Pin
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Autoscaler, Intent, Run
from functions.lifecycle.stop_note import QueuedStart

BEFORE = running(labels={"team": "fraud"})
RECORD = observe(None, BEFORE, LIMITS).record
SEEN = running(labels={"team": "fraud"}, observed_at=later(60), version=12, pods_version=13)
QUEUED = QueuedStart(source="/p", id="start-9", actor="pipeline")


def a_stop(**changes):
    return stop(reason="drift", correlation_id="corr-1", sequence=7, **changes)


def entry(action, **changes):
    values = {"time": later(60), "ref": REF, "action": action, "actor": "oncall", "state": "stopping"}
    return AuditEntry(**{**values, "source": "/test", "event_id": "stop-1", "correlation_id": "corr-1", **changes})


def test_the_status_says_at_once_that_it_is_stopping_by_whom_and_why():
    decision = decide(RECORD, SEEN, a_stop(), LIMITS)
    assert decision.record.status().model_dump(mode="json", exclude={"resource_allocation", "endpoints"}) == {
        "name": "scorer",
        "namespace": "fraud",
        "kind": "InferenceService",
        "state": "stopping",
        "reason": "Draining",
        "message": "The stop is accepted.",
        "desired": "stopped",
        "last_transition": "2026-03-01T12:01:00Z",
        "holds": [
            {
                "kind": "user",
                "actor": "oncall",
                "claimed_actor": None,
                "reason": "drift",
                "since": "2026-03-01T12:01:00Z",
            }
        ],
        "queued": False,
        "receipt": None,
        "labels": {"team": "fraud"},
        "artifact": None,
        "observed_at": "2026-03-01T12:01:00Z",
    }
    assert not decision.record.available
    assert decision.due == later(61)


def test_the_record_knows_the_stop_its_place_in_the_order_and_that_it_took_effect():
    earlier = RECORD.model_copy(
        update={
            "start": Run(since=NOW, actor="pipeline", key="k"),
            "autoscaler": Autoscaler(prior="hpa"),
        }
    )
    left_behind = running(stop_note=a_stop_note(command="old"), observed_at=later(60), version=12, pods_version=13)
    after = decide(earlier, left_behind, a_stop(), LIMITS).record
    run = Run(since=later(60), actor="oncall", reason="drift", key="/test stop-1", correlation_id="corr-1")
    assert (after.stop, after.start, after.effective, after.sequence) == (run, None, "/test stop-1", 7)
    assert (after.autoscaler, after.left_behind) == (None, None)
    assert (after.version, after.pods_version) == (12, 13)


def test_a_model_without_pods_waits_for_kserve_only():
    seen = running(pods=(), may_scale_to_zero=True)
    assert decide(None, seen, stop(), LIMITS).record.reason == "AwaitingKServe"


def test_the_stop_note_says_who_why_what_ran_and_how_to_go_back():
    decision = decide(RECORD, SEEN, a_stop(), LIMITS)
    assert stop_note_in(patched({}, decision.effects[0].operations)) == {
        "holds": [{"kind": "user", "actor": "oncall", "reason": "drift", "since": "2026-03-01T12:01:00Z"}],
        "source": "/test",
        "command": "stop-1",
        "sequence": 7,
        "since": "2026-03-01T12:01:00Z",
        "correlation_id": "corr-1",
        "pods": [
            {
                "uid": "uid-scorer-0",
                "name": "scorer-0",
                "component": "predictor",
                "gpus": 1,
                "memory": 8589934592,
                "grace": 30,
                "requests": {"requests.nvidia.com/gpu": "1", "requests.memory": "8589934592"},
            }
        ],
        "endpoint": "http://scorer.fraud.example.com",
    }


@pytest.mark.parametrize("by_event", [True, False])
def test_the_plan_has_all_that_a_crash_would_lose(by_event):
    decision = decide(RECORD, SEEN, a_stop(by_event=by_event), LIMITS)
    run = decision.record.stop
    assert decision.intent == Intent(verb="stop", at=later(60), run=run, sequence=7, by_event=by_event)


@pytest.mark.parametrize(
    ("request_", "pods", "grace"),
    [
        (a_stop(), 1, None),
        (a_stop(graceful=False), 2, "1s"),
        (a_stop(timeout="90s"), 2, "90s"),
        (a_stop(timeout="90s"), 0, None),
    ],
)
def test_stopping_is_published_with_the_pods_that_are_there_and_the_grace_wanted(request_, pods, grace):
    seen = running(pods=tuple(a_pod(f"p{number}") for number in range(pods)), observed_at=later(60))
    decision = decide(RECORD, seen, request_, LIMITS)
    published = decision.events[-1]
    assert published.event == ModelStopping(actor="oncall", reason="drift", pods=pods, grace=grace)
    assert (published.ref, published.time, published.correlation_id) == (REF, later(60), "corr-1")
    assert decision.record.stop.grace == (None if grace is None else int(grace[:-1]))


def test_no_other_grace_is_written_where_the_pods_own_is_wanted():
    for request in (a_stop(), a_stop(timeout="30s")):
        after = patched({}, decide(RECORD, SEEN, request, LIMITS).effects[0].operations)
        assert "grace" not in stop_note_in(after)


def test_what_makes_the_pods_is_pinned_once_each_and_in_the_order_of_names():
    other = Owner("ReplicaSet", "a-transformer", "rs-2")
    seen = running(a_pod("a"), a_pod("b"), a_pod("c", owner=other), a_pod("d", owner=None))
    decision = decide(RECORD, seen, stop(graceful=False), LIMITS)
    assert decision.effects[0] == PinOwners(REF, (other, REPLICA_SET))
    assert decision.effects[2] == EndPods(REF, (other, REPLICA_SET), 1)


def test_the_history_says_who_stopped_it_and_why():
    decision = decide(RECORD, SEEN, a_stop(), LIMITS)
    assert decision.audit == (entry("stop", changed=True, reason="drift"),)


def test_what_the_look_found_out_is_published_and_kept_with_the_stop():
    unready = running(a_pod(ready=False), ready=Answer.FALSE, observed_at=later(60))
    starting = RECORD.model_copy(update={"state": State.STARTING, "reason": "PodsStarting"})
    decision = decide(starting, SEEN, a_stop(), LIMITS)
    assert [published.event.type.split(".")[-2] for published in decision.events] == ["started", "stopping"]
    assert [one.action for one in decide(RECORD, unready, a_stop(), LIMITS).audit] == ["state", "stop"]


def test_a_stop_of_what_is_stopped_says_so_and_is_kept_in_the_history_as_no_change():
    seen = stop_set(stop_note=a_stop_note(command="other"), observed_at=later(60))
    stopped = observe(None, seen, LIMITS).record
    decision = decide(stopped, seen, a_stop(), LIMITS)
    note = "It is stopped already. Stopped by oncall. Start it to run it again."
    assert decision.note == note
    assert decision.audit == (entry("stop", state="stopped", reason="drift", message=note),)
    assert (decision.changed, decision.effects, decision.due) == (False, (), None)
    assert decision.record.sequence == 7


def test_a_stop_that_withdraws_a_queued_start_takes_its_place_in_the_order_and_is_kept_in_the_history():
    seen = stop_set(terminating(a_pod()), stop_note=a_stop_note(command="first", queued=QUEUED), observed_at=later(60))
    draining = observe(None, seen, LIMITS).record
    assert draining.queued
    decision = decide(draining, seen, a_stop(), LIMITS)
    after = stop_note_in(patched(dict(seen.annotations), decision.effects[0].operations))
    assert (after["sequence"], after["command"]) == (7, "first")
    assert isinstance(decision.effects[0], PatchModel)
    assert not decision.record.queued
    assert decision.audit == (entry("stop", changed=True, reason="drift"),)


def test_a_stop_that_is_resumed_ends_what_its_first_delivery_left_pinned_and_says_it_changed_something():
    seen = stop_set(a_pod(), stop_note=a_stop_note(grace=5), said=False, pins=(Pin(REPLICA_SET, True),))
    decision = decide(RECORD, seen, stop(), LIMITS)
    assert decision.effects == (EndPods(REF, (REPLICA_SET,), 5),)
    assert decision.changed
    assert decision.due == seen.observed_at


def test_a_stop_that_comes_again_after_somebody_undid_it_is_answered_as_done():
    undone = RECORD.model_copy(update={"effective": "/test stop-1"})
    decision = decide(undone, SEEN, a_stop(redelivered=True), LIMITS)
    assert (decision.changed, decision.effects) == (True, ())
    assert decision.audit == (entry("stop", state="running", changed=True, reason="drift"),)
    anew = decide(undone, SEEN, a_stop(), LIMITS)
    assert anew.effects


def test_a_stop_note_left_behind_by_somebody_s_start_says_nothing_of_their_next_stop():
    ours = a_stop_note(holds=(Hold(kind=HoldKind.USER, actor="oncall", since=NOW),))
    annotations = {"modelswitch.dev/stop": ours.dump()}
    started = observe(RECORD, running(annotations=annotations, stop_note=ours), LIMITS).record
    assert started.left_behind == "/test stop-1"
    seen = stop_set(stop_note=ours, stop_actor="kubectl")
    theirs = decide(started, seen, None, LIMITS).record
    assert theirs.holds[0].actor == "external:kubectl"
    anew = decide(started, stop_set(stop_note=ours, uid="model-2"), None, LIMITS).record
    assert anew.holds[0].actor == "oncall"
