"""A stop: what it patches, what it refuses, and what it leaves alone."""

import pytest
from builders import (
    LIMITS,
    NOW,
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

from events.commands import StopRequested
from events.status import State
from functions.lifecycle.decide import decide
from functions.lifecycle.effects import EndPods, PatchModel, PinOwners
from functions.lifecycle.errors import Code, Refused
from functions.lifecycle.observation import AUTOSCALER_ANNOTATION, Blocker, Owner, Pin
from functions.lifecycle.record import Autoscaler, Record
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, QueuedStart


def decided(seen, request=None, record=None):
    return decide(record, seen, request or stop(), LIMITS)


def patch_of(decision):
    (patch,) = (effect for effect in decision.effects if isinstance(effect, PatchModel))
    return patch.operations


def test_one_patch_sets_the_stop_and_says_who_why_and_what_ran():
    decision = decided(running(annotations={"team": "x"}), stop(reason="drift"))
    after = patched({"team": "x"}, patch_of(decision))
    stop_note = stop_note_in(after)
    assert after["serving.kserve.io/stop"] == "true"
    assert after["team"] == "x"
    assert stop_note["holds"][0]["actor"] == "oncall"
    assert stop_note["holds"][0]["reason"] == "drift"
    assert stop_note["pods"][0]["gpus"] == 1
    assert stop_note["endpoint"] == "http://scorer.fraud.example.com"
    assert decision.changed
    assert decision.record.state is State.STOPPING


def test_a_prior_false_is_remembered():
    before = {"serving.kserve.io/stop": "false"}
    after = patched(before, patch_of(decided(running(annotations=before))))
    assert stop_note_in(after)["prior_stop"] == "false"


def test_no_annotations_at_all_are_guarded_too():
    operations = patch_of(decided(running(annotations=None)))
    assert {"op": "test", "path": "/metadata/annotations", "value": None} in operations
    assert patched({}, operations)["serving.kserve.io/stop"] == "true"


def test_pods_whose_own_grace_is_wanted_are_left_to_kserve():
    decision = decided(running(a_pod(grace=30)))
    assert [type(effect) for effect in decision.effects] == [PatchModel]
    assert decided(running(a_pod(grace=10))).effects[0].__class__ is PatchModel


@pytest.mark.parametrize(
    ("request_", "pod_grace", "grace"),
    [
        (stop(graceful=False), 30, 1),
        (stop(timeout="90s"), 30, 90),
        (stop(timeout="5s"), 30, 5),
        (stop(), 300, 30),
        (stop(graceful=False, timeout="90s"), 30, 1),
    ],
)
def test_another_grace_pins_before_the_patch_and_ends_the_pods_after_it(request_, pod_grace, grace):
    decision = decided(running(a_pod(grace=pod_grace)), request_)
    pin, patch, end = decision.effects
    assert pin == PinOwners(request_.ref, (REPLICA_SET,))
    assert isinstance(patch, PatchModel)
    assert end == EndPods(request_.ref, (REPLICA_SET,), grace)
    assert stop_note_in(patched({}, patch.operations))["grace"] == grace
    assert decision.due == NOW


def test_only_what_makes_pods_with_another_grace_is_pinned():
    other = Owner("ReplicaSet", "scorer-transformer", "rs-2")
    decision = decided(running(a_pod(grace=30), a_pod("t", grace=300, owner=other)))
    assert decision.effects[0] == PinOwners(decision.record.ref, (other,))


def test_pods_already_terminating_are_not_pinned():
    decision = decided(running(terminating(a_pod(grace=300))))
    assert [type(effect) for effect in decision.effects] == [PatchModel]


def test_a_timeout_is_between_a_second_and_an_hour():
    for bad in ("0s", "61m", "soon", "-5s"):
        with pytest.raises(ValueError, match=r"timeout|duration"):
            StopRequested(timeout=bad)


def test_stopping_what_is_stopped_changes_nothing():
    decision = decided(stop_set(stop_note=a_stop_note(command="another")), stop(sequence=1))
    assert not decision.changed
    assert decision.effects == ()
    assert "stopped already" in decision.note


def test_stopping_what_somebody_else_stopped_changes_nothing():
    decision = decided(stop_set())
    assert (decision.changed, decision.effects) == (False, ())


def test_the_same_command_again_after_a_crash_is_the_same_stop():
    decision = decided(stop_set(terminating(a_pod()), stop_note=a_stop_note(), said=False))
    assert decision.changed
    assert decision.effects == ()
    assert decision.record.stop.actor == "oncall"


def test_a_crash_between_patch_and_end_of_pods_goes_on():
    seen = stop_set(a_pod(), stop_note=a_stop_note(grace=1), said=False, pins=(Pin(REPLICA_SET, True),))
    assert decided(seen).effects == (EndPods(seen.ref, (REPLICA_SET,), 1),)


def test_a_stop_withdraws_a_queued_start():
    queued = QueuedStart(source="/p", id="start-9", actor="pipeline")
    seen = stop_set(terminating(a_pod()), stop_note=a_stop_note(command="first", queued=queued))
    decision = decided(seen)
    assert decision.changed
    after = patched(dict(seen.annotations), patch_of(decision))
    assert "queued" not in stop_note_in(after)
    assert after["serving.kserve.io/stop"] == "true"


@pytest.mark.parametrize("code", [Code.STOP_UNSUPPORTED, Code.CANARY_IN_PROGRESS])
def test_what_would_fail_silently_is_refused_with_the_way_out(code):
    blocker = Blocker(code, "because", "do this")
    with pytest.raises(Refused) as refused:
        decided(running(blockers=(blocker,)))
    assert (refused.value.code, refused.value.next_action) == (code, "do this")


def test_a_canary_may_be_promoted_on_request():
    blocker = Blocker(Code.CANARY_IN_PROGRESS, "because", "do this")
    assert decided(running(blockers=(blocker,)), stop(promote_canary=True)).changed


def test_a_stop_puts_back_the_autoscaler_that_a_start_left_out():
    annotations = {AUTOSCALER_ANNOTATION: "external"}
    record = Record(ref=stop().ref, uid="model-1", autoscaler=Autoscaler(prior="hpa"))
    decision = decide(record, running(annotations=annotations), stop(), LIMITS)
    assert patched(annotations, patch_of(decision))[AUTOSCALER_ANNOTATION] == "hpa"
    forgotten = decided(running(annotations=annotations, autoscaler_is_ours=True))
    assert AUTOSCALER_ANNOTATION not in patched(annotations, patch_of(forgotten))
    theirs = decided(running(annotations=annotations))
    assert patched(annotations, patch_of(theirs))[AUTOSCALER_ANNOTATION] == "external"


def test_a_stop_note_that_is_not_ours_counts_as_an_external_stop():
    seen = stop_set(annotations={"serving.kserve.io/stop": "true", STOP_NOTE_ANNOTATION: "hello"})
    assert decided(seen, record=None).record.holds[0].kind.value == "external"


def test_the_facts_of_one_command_have_the_same_ids_however_often_it_is_decided():
    first, second = decided(running()), decided(running(observed_at=later(5), version=12))
    assert [event.id for event in first.events] == [event.id for event in second.events]
