"""What a notification costs, and what it leaves: the record, or its end where the model is gone."""

import asks as ask
import pytest
from asks import take_notification
from builders import LIMITS, NOW, REF, REPLICA_SET, a_pod, a_stop_note, played, running, stop_set

from functions.lifecycle.decide import decide
from functions.lifecycle.errors import PreconditionFailed
from functions.lifecycle.observation import Pin
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Intent, Record, Run
from functions.lifecycle.stop_note import QueuedStart

RECORD = observe(None, running(version=20, pods_version=30), LIMITS).record
NEWER = running(version=21, pods_version=31)
DONE = ask.StepAnswer(202)


def notification(**changes):
    return take_notification(REF, LIMITS, **changes)


def test_a_notification_looks_and_commits_what_it_saw_without_a_claim():
    decision = decide(RECORD, NEWER, None, LIMITS)
    asks, answer = played(notification(), ask.Loaded(RECORD, 3), NEWER, ask.Committed())
    assert answer == DONE
    assert asks == [
        ask.Load(REF),
        ask.Look(REF),
        ask.Commit(
            ref=REF, expected=3, record=decision.record, audit=decision.audit, events=decision.events, due=decision.due
        ),
    ]


def test_a_look_takes_no_place_in_the_order_of_commands():
    assert decide(None, running(), None, LIMITS).record.sequence == 0


@pytest.mark.parametrize(
    ("versions", "looks"),
    [
        ({}, True),
        ({"object_version": 19}, False),
        ({"object_version": 20}, False),
        ({"object_version": 21}, True),
        ({"pods_version": 29}, False),
        ({"pods_version": 30}, False),
        ({"pods_version": 31}, True),
        ({"object_version": 1}, False),
        ({"pods_version": 1}, False),
    ],
)
def test_a_notification_no_newer_than_the_last_look_costs_one_read(versions, looks):
    asks, answer = played(notification(**versions), ask.Loaded(RECORD, 3))
    assert isinstance(asks[-1], ask.Look) is looks
    assert answer == (None if looks else DONE)


def test_a_notification_of_a_model_nobody_knows_yet_is_always_a_reason_to_look():
    asks, _ = played(notification(object_version=1), ask.Loaded(None, 0))
    assert asks[-1] == ask.Look(REF)


def test_a_pin_that_was_found_is_looked_for():
    asks, _ = played(notification(pinned=True), ask.Loaded(RECORD, 3))
    assert asks[-1] == ask.Look(REF, pinned=True)


def test_a_model_that_is_gone_is_forgotten_and_its_end_is_kept_in_the_history():
    gone = running(exists=False)
    asks, answer = played(notification(), ask.Loaded(RECORD, 3), gone, ask.Committed())
    deleted = ask.AuditEntry(NOW, REF, "deleted", "external:unknown", previous="running")
    assert asks[2] == ask.Commit(REF, 3, None, audit=(deleted,), forget=True)
    assert answer == DONE


def test_a_model_that_is_gone_and_was_never_known_leaves_no_history():
    asks, _ = played(notification(), ask.Loaded(None, 0), running(exists=False))
    assert asks[2] == ask.Commit(REF, 0, None, forget=True)
    asks, _ = played(notification(), ask.Loaded(Record(ref=REF), 1), running(exists=False))
    assert asks[2].audit[0].previous is None


def test_a_model_that_is_gone_leaves_nothing_pinned():
    gone = running(exists=False, pins=(Pin(REPLICA_SET, True),))
    asks, answer = played(notification(), ask.Loaded(RECORD, 3), gone, None, ask.Committed())
    assert asks[2] == ask.UnpinOwners(REF, (REPLICA_SET,))
    assert asks[3].forget
    assert answer == DONE


def test_a_queued_start_is_noted_and_then_done_by_the_same_notification():
    seen = stop_set(stop_note=a_stop_note(queued=QueuedStart(source="/p", id="start-9", actor="pipeline")))
    noted = decide(RECORD, seen, None, LIMITS)
    started = decide(noted.record, seen, None, LIMITS)
    asks, answer = played(
        notification(),
        ask.Loaded(RECORD, 3),
        seen,
        ask.Committed(),
        ask.Loaded(noted.record, 4),
        seen,
        42,
        ask.Committed(),
    )
    assert [type(one).__name__ for one in asks] == ["Load", "Look", "Commit", "Load", "Look", "PatchModel", "Commit"]
    assert asks[2].record == noted.record
    assert asks[5:6] == list(started.effects)
    assert asks[6].record == started.record.model_copy(update={"version": 42})
    assert answer == ask.StepAnswer(202, changed=True)


def test_a_plan_that_was_stored_is_known_to_the_notification():
    stopped = observe(None, stop_set(), LIMITS).record
    planned = Intent(verb="start", at=NOW, run=Run(since=NOW, actor="pipeline", key="/test start-1"))
    seen = running(a_pod(ready=False), ready=NEWER.ready, version=31)
    asks, _ = played(notification(), ask.Loaded(stopped, 3, planned), seen)
    assert asks[2].record.start.actor == "pipeline"


def test_whoever_was_faster_makes_a_notification_look_again_but_never_fail():
    seen = stop_set(a_pod(), stop_note=a_stop_note(grace=1), pins=(Pin(REPLICA_SET, True),))
    lost = (ask.Loaded(RECORD, 3), NEWER, ask.Committed(conflict=True))
    asks, answer = played(notification(), *lost * 5)
    assert [type(one).__name__ for one in asks] == ["Load", "Look", "Commit"] * 5
    assert answer == DONE
    failed = (ask.Loaded(RECORD, 3), seen, PreconditionFailed("stop"))
    asks, answer = played(notification(), *failed * 5)
    assert [type(one).__name__ for one in asks] == ["Load", "Look", "EndPods"] * 5
    assert answer == DONE


def test_a_newer_look_that_was_committed_meanwhile_ends_the_notification():
    asks, answer = played(notification(), ask.Loaded(RECORD, 3), NEWER, ask.Committed(stale=True))
    assert (len(asks), answer) == (3, DONE)


def test_the_record_keeps_the_newest_version_that_was_seen_of_the_model():
    seen = stop_set(stop_note=a_stop_note(queued=QueuedStart(source="/p", id="start-9", actor="pipeline")))
    noted = decide(RECORD, seen, None, LIMITS)
    asks, _ = played(notification(), ask.Loaded(noted.record, 4), seen, 5)
    assert asks[-1].record.version == 20
