"""A start: everything as it was, and what is sure to fail is refused."""

from datetime import timedelta

import pytest
from builders import (
    LIMITS,
    REPLICA_SET,
    a_pod,
    a_stop_note,
    later,
    patched,
    running,
    start,
    stop,
    stop_note_in,
    stop_set,
    terminating,
    without_pods,
)
from hypothesis import given
from hypothesis import strategies as st

from events.model import Kind, ModelRef
from events.status import State
from functions.lifecycle.decide import decide
from functions.lifecycle.effects import PatchModel, UnpinOwners
from functions.lifecycle.errors import Code, Refused
from functions.lifecycle.observation import AUTOSCALER_ANNOTATION, Mode, Pin, QuotaShortage
from functions.lifecycle.record import Intent, Run
from functions.lifecycle.stop_note import QueuedStart

STOPPED = stop_set(stop_note=a_stop_note())


def decided(seen, request=None, planned=None):
    return decide(None, seen, request or start(), LIMITS, planned)


def operations_of(decision):
    (patch,) = (effect for effect in decision.effects if isinstance(effect, PatchModel))
    return patch.operations


def refused(seen, request=None):
    with pytest.raises(Refused) as error:
        decided(seen, request)
    return error.value


@given(
    others=st.dictionaries(st.sampled_from(["team", "a/b", "x~y"]), st.text(max_size=5)),
    prior=st.sampled_from([None, "false", "False", "no"]),
)
def test_stop_and_start_leave_the_annotations_as_they_were(others, prior):
    before = others | ({"serving.kserve.io/stop": prior} if prior is not None else {})
    stopped = patched(before, decide(None, running(annotations=before), stop(), LIMITS).effects[0].operations)
    stop_note = a_stop_note().parse(stopped["modelswitch.dev/stop"])
    seen = stop_set(stop_note=stop_note, annotations=stopped)
    assert patched(stopped, operations_of(decided(seen))) == before


def test_a_start_of_what_runs_patches_nothing():
    decision = decided(running())
    assert (decision.changed, decision.effects) == (False, ())
    assert "running already" in decision.note


def test_a_stop_by_somebody_else_is_undone_by_removing_the_annotation():
    after = patched({"serving.kserve.io/stop": "true"}, operations_of(decided(stop_set())))
    assert after == {}


def test_a_start_is_refused_while_pods_are_left():
    error = refused(stop_set(terminating(a_pod()), stop_note=a_stop_note()))
    assert (error.code, error.status) == (Code.STOP_IN_PROGRESS, 409)
    assert error.retry_after


def test_a_queued_start_is_kept_on_the_model_itself():
    seen = stop_set(terminating(a_pod()), stop_note=a_stop_note())
    decision = decided(seen, start(queue=True))
    after = patched(dict(seen.annotations), operations_of(decision))
    assert after["serving.kserve.io/stop"] == "true"
    assert stop_note_in(after)["queued"]["actor"] == "pipeline"
    assert decision.record.queued
    assert decision.changed


def test_a_queued_start_of_an_external_stop_adopts_it():
    seen = stop_set(terminating(a_pod()), stop_actor="kubectl-annotate")
    after = patched(dict(seen.annotations), operations_of(decided(seen, start(queue=True))))
    assert stop_note_in(after)["holds"][0]["kind"] == "external"


def test_the_last_pod_s_going_carries_out_the_queued_start():
    queued = QueuedStart(source="/p", id="start-9", actor="pipeline", reason="retrained")
    seen = stop_set(stop_note=a_stop_note(queued=queued))
    noted = decide(None, seen, None, LIMITS)
    assert noted.effects == ()
    assert noted.again
    assert noted.due == seen.observed_at
    decision = decide(noted.record, seen, None, LIMITS)
    assert patched(dict(seen.annotations), operations_of(decision)) == {}
    assert decision.record.state is State.STARTING
    assert decision.record.start.actor == "pipeline"


def test_a_queued_start_waits_for_the_last_pod():
    queued = QueuedStart(source="/p", id="start-9", actor="pipeline")
    seen = stop_set(terminating(a_pod()), stop_note=a_stop_note(queued=queued))
    assert decide(None, seen, None, LIMITS).effects == ()


def test_a_queued_start_that_expired_is_withdrawn_and_said():
    queued = QueuedStart(source="/p", id="start-9", actor="pipeline", expires_at=later(-1))
    seen = stop_set(stop_note=a_stop_note(queued=queued))
    decision = decide(None, seen, None, LIMITS)
    assert "queued" not in stop_note_in(patched(dict(seen.annotations), operations_of(decision)))
    assert decision.record.state is State.STOPPED
    assert "expired" in [entry.action for entry in decision.audit]


def test_over_quota_is_refused_with_the_numbers():
    shortage = QuotaShortage("team-quota", "requests.nvidia.com/gpu", "2", "3", "4")
    error = refused(stop_set(stop_note=a_stop_note(), shortages=(shortage,)))
    assert error.code is Code.QUOTA_EXCEEDED
    for number in ("needs 2", "used 3 of 4", "team-quota"):
        assert number in error.message


def test_without_the_autoscaler_where_kserve_can_do_that():
    after = patched(dict(STOPPED.annotations), operations_of(decided(STOPPED, start(restore_autoscaling=False))))
    assert after == {AUTOSCALER_ANNOTATION: "external"}


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": Mode.KNATIVE},
        {"autoscaler": "keda"},
        {"ref": ModelRef(namespace="fraud", name="scorer", kind=Kind.LLM_INFERENCE_SERVICE)},
    ],
)
def test_without_the_autoscaler_is_refused_elsewhere(changes):
    seen = stop_set(stop_note=a_stop_note(), **changes)
    error = refused(seen, start(restore_autoscaling=False, ref=seen.ref))
    assert error.code is Code.START_UNSUPPORTED
    assert "restore_autoscaling" in error.next_action


def test_a_start_unpins_what_was_left_pinned_first():
    seen = stop_set(stop_note=a_stop_note(grace=1), pins=(Pin(REPLICA_SET, True),))
    assert decided(seen).effects[0] == UnpinOwners(seen.ref, (REPLICA_SET,))


def test_a_start_withdraws_a_stop_that_kserve_ignores():
    seen = stop_set(a_pod(), stop_note=a_stop_note(), said=False, observed_at=later(200))
    decision = decided(seen)
    assert patched(dict(seen.annotations), operations_of(decision)) == {}


def test_a_start_that_died_after_its_patch_is_still_its_actor_s():
    run = Run(since=later(0), actor="pipeline", key="/test start-1")
    planned = Intent(verb="start", at=later(0), run=run)
    stopped = decide(None, STOPPED, None, LIMITS).record
    by_notification = decide(stopped, without_pods(running(version=30, pods_version=30)), None, LIMITS, planned)
    assert by_notification.record.start.actor == "pipeline"
    assert decided(running(), start(), planned).changed


def test_an_old_plan_explains_nothing():
    run = Run(since=later(0), actor="pipeline", key="/test start-1")
    planned = Intent(verb="start", at=later(0) - timedelta(minutes=2), run=run)
    stopped = decide(None, STOPPED, None, LIMITS).record
    seen = without_pods(running(version=30, pods_version=30, stop_actor="kubectl"))
    assert decide(stopped, seen, None, LIMITS, planned).record.start.actor == "external:kubectl"
