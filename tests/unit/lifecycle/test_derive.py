"""Every row of the table, and what lies between rows."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import LIMITS, NOW, REF, a_pod, a_stop_note, later, running, stop_set, terminating

from events.status import State
from functions.lifecycle.derive import RULES, derive
from functions.lifecycle.observation import Answer, Canary, Mode, Trouble
from functions.lifecycle.reasons import ADVICE
from functions.lifecycle.record import Record, Run

EMPTY = Record(ref=REF)
STOPPING = Record(ref=REF, stop=Run(since=NOW, actor="oncall", key="k"))
STARTING = Record(ref=REF, start=Run(since=NOW, actor="oncall", key="k"))
UNSCHEDULABLE = Trouble("Unschedulable", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")


def verdict(seen, record=EMPTY):
    found = derive(seen, record, LIMITS)
    return found.state, found.reason


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (running(), (State.RUNNING, None)),
        (running(a_pod(), a_pod("b", ready=False, trouble=UNSCHEDULABLE)), (State.RUNNING, "Degraded")),
        (running(pods=(), mode=Mode.KNATIVE, may_scale_to_zero=True), (State.RUNNING, "ScaledToZero")),
        (running(pods=()), (State.STARTING, "AwaitingPods")),
        (
            running(a_pod(ready=False), mode=Mode.KNATIVE, may_scale_to_zero=True),
            (State.RUNNING, "Waking"),
        ),
        (running(a_pod(ready=False), ready=Answer.FALSE), (State.STARTING, "PodsStarting")),
        (running(a_pod(), ready=Answer.FALSE), (State.STARTING, "AwaitingRoute")),
        (running(a_pod(ready=False, trouble=UNSCHEDULABLE), ready=Answer.UNKNOWN), (State.ERROR, "Unschedulable")),
        (
            running(pods=(), ready=Answer.FALSE, trouble=Trouble("QuotaExceeded", "exceeded quota: q")),
            (State.ERROR, "QuotaExceeded"),
        ),
        (running(deleting=True), (State.STOPPING, "Deleting")),
        (running(terminating(a_pod()), ready=Answer.FALSE), (State.STARTING, "AwaitingPods")),
    ],
)
def test_a_model_that_should_run(seen, expected):
    assert verdict(seen) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (stop_set(terminating(a_pod())), (State.STOPPING, "Draining")),
        (stop_set(a_pod(), said=False), (State.STOPPING, "Draining")),
        (stop_set(said=False), (State.STOPPING, "AwaitingKServe")),
        (stop_set(), (State.STOPPED, "StoppedOutside")),
        (stop_set(stop_note=a_stop_note()), (State.STOPPED, "StoppedByUser")),
        (stop_set(stopped_condition=None), (State.STOPPED, "StoppedOutside")),
        (stop_set(stopped_condition=None, ready_reason="SomethingElse"), (State.STOPPING, "AwaitingKServe")),
    ],
)
def test_a_model_that_should_be_stopped(seen, expected):
    assert verdict(seen, STOPPING) == expected


def test_the_stopped_condition_alone_is_not_stopped_while_a_pod_is_left():
    assert verdict(stop_set(terminating(a_pod()), said=True), STOPPING)[0] is State.STOPPING


def test_the_annotation_counts_in_any_case():
    assert verdict(stop_set(annotations={"serving.kserve.io/stop": "TRUE"}))[0] is State.STOPPED
    assert verdict(running(annotations={"serving.kserve.io/stop": "false"}))[0] is State.RUNNING


def test_pods_that_outlive_their_grace_are_an_error_that_names_the_node():
    seen = stop_set(terminating(a_pod()), observed_at=later(61))
    found = derive(seen, STOPPING, LIMITS)
    assert (found.state, found.reason) == (State.ERROR, "PodsNotGone")
    assert "node1" in found.message
    assert verdict(stop_set(terminating(a_pod()), observed_at=later(59)), STOPPING)[0] is State.STOPPING


def test_a_long_grace_is_no_error_before_it_ends():
    seen = stop_set(terminating(a_pod(grace=300)), observed_at=later(290))
    assert verdict(seen, STOPPING) == (State.STOPPING, "Draining")


def test_a_stop_that_kserve_ignores_becomes_an_error():
    assert verdict(stop_set(a_pod(), said=False, observed_at=later(151)), STOPPING) == (State.ERROR, "StopIgnored")
    assert verdict(stop_set(a_pod(), said=False, observed_at=later(149)), STOPPING)[0] is State.STOPPING


def test_a_start_has_until_its_deadline():
    seen = running(a_pod(ready=False), ready=Answer.FALSE)
    late = running(a_pod(ready=False), ready=Answer.FALSE, observed_at=NOW + timedelta(minutes=15, seconds=1))
    assert verdict(seen, STARTING)[0] is State.STARTING
    assert verdict(late, STARTING) == (State.ERROR, "StartDeadlineExceeded")


def test_the_deadline_of_a_start_nobody_saw_begins_when_kserve_says_it_became_unready():
    late = running(a_pod(ready=False), ready=Answer.FALSE, ready_changed=NOW - timedelta(minutes=16))
    assert verdict(late) == (State.ERROR, "StartDeadlineExceeded")


def test_an_error_heals_when_its_cause_goes():
    assert verdict(running(a_pod(ready=False, trouble=UNSCHEDULABLE), ready=Answer.FALSE))[0] is State.ERROR
    assert verdict(running())[0] is State.RUNNING


def test_an_error_says_what_to_do_next():
    found = derive(running(a_pod(ready=False, trouble=UNSCHEDULABLE), ready=Answer.FALSE), EMPTY, LIMITS)
    assert "Insufficient nvidia.com/gpu" in found.message
    assert found.next == ADVICE["Unschedulable"]
    assert found.message.endswith(ADVICE["Unschedulable"])


def test_the_last_rule_takes_whatever_is_left():
    assert RULES[-1].when(None)  # type: ignore[arg-type]


GATED = Trouble("SchedulingGated", "held back by the scheduling gate kueue.x-k8s.io/admission", held=True)
UNREADY = {"ready": Answer.FALSE, "ready_changed": NOW - timedelta(hours=5)}


def test_what_a_queue_holds_back_starts_however_long_it_waits():
    found = derive(running(a_pod(ready=False, trouble=GATED), **UNREADY), EMPTY, LIMITS)
    assert (found.state, found.reason) == (State.STARTING, "SchedulingGated")
    assert found.next == ADVICE["SchedulingGated"]


def test_a_pod_that_fails_beside_one_that_is_held_back_is_an_error():
    pods = (a_pod(ready=False, trouble=GATED), a_pod("b", ready=False, trouble=UNSCHEDULABLE))
    assert verdict(running(*pods, **UNREADY))[0] is State.ERROR


def test_a_model_that_serves_while_a_further_pod_is_held_back_is_degraded():
    found = derive(running(a_pod(), a_pod("b", ready=False, trouble=GATED)), EMPTY, LIMITS)
    assert (found.state, found.reason) == (State.RUNNING, "Degraded")
    assert "kueue.x-k8s.io/admission" in found.what


def test_a_suspended_model_waits_for_who_suspended_it():
    suspended = replace(running(**UNREADY, suspended=True), pods=())
    assert verdict(suspended) == (State.STARTING, "Suspended")
    assert verdict(replace(suspended, pods=(a_pod(ready=False),)))[1] == "StartDeadlineExceeded"


def ended(name, minutes=1.0, reason="Evicted"):
    made = NOW - timedelta(minutes=minutes)
    trouble = Trouble(reason, "the node was low on memory", ended=True)
    return a_pod(name, ready=False, finished=True, created=made, ready_since=None, trouble=trouble)


def test_while_a_pod_is_replaced_it_is_said_why_it_was_ended_and_nothing_has_failed():
    unready = {"ready": Answer.FALSE}
    replaced = derive(running(ended("old"), a_pod(ready=False), **unready), EMPTY, LIMITS)
    assert (replaced.state, replaced.reason) == (State.STARTING, "PodsStarting")
    assert "old before it was ended: Evicted: the node was low on memory" in replaced.what
    gone = derive(running(ended("old"), **unready), EMPTY, LIMITS)
    assert (gone.state, gone.reason) == (State.STARTING, "AwaitingPods")
    assert "Evicted" in gone.what
    waiting = derive(running(ended("old"), a_pod(ready=False, trouble=UNSCHEDULABLE), **unready), EMPTY, LIMITS)
    assert waiting.reason == "Unschedulable"
    assert "Evicted" in waiting.what


def test_pods_that_are_ended_one_after_the_other_are_an_error():
    pods = [ended(f"p{n}", reason="UnexpectedAdmissionError") for n in range(3)]
    assert verdict(running(*pods, a_pod(ready=False), ready=Answer.FALSE)) == (State.ERROR, "UnexpectedAdmissionError")
    assert verdict(running(*pods, a_pod()))[0] is State.RUNNING
    old = [ended(f"p{n}", minutes=60) for n in range(3)]
    assert verdict(running(*old, a_pod(ready=False), ready=Answer.FALSE)) == (State.STARTING, "PodsStarting")


def test_a_model_with_a_canary_names_it_while_it_runs():
    found = derive(running(a_pod(), canaries=(Canary("v2", 10, ready=True),)), EMPTY, LIMITS)
    assert (found.state, found.reason) == (State.RUNNING, "Canary")
    assert found.what == "The canary v2 gets 10% of the traffic."


def test_a_pod_that_ran_for_long_counts_from_its_end():
    evicted = replace(ended("old", minutes=5000), ready_since=NOW - timedelta(minutes=1))
    assert "Evicted" in derive(running(evicted, a_pod(ready=False), ready=Answer.FALSE), EMPTY, LIMITS).what
    long_ago = replace(evicted, ready_since=NOW - timedelta(minutes=60))
    assert "Evicted" not in derive(running(long_ago, a_pod(ready=False), ready=Answer.FALSE), EMPTY, LIMITS).what
