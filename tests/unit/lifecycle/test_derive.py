"""Every row of the table, and what lies between rows."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import LIMITS, NOW, REF, a_pod, a_stop_note, later, running, stop_set, terminating

from events.status import State
from functions.lifecycle.derive import derive
from functions.lifecycle.errors import Code
from functions.lifecycle.observation import Answer, Answered, Blocker, Canary, Mode, PodAnswer, Trouble
from functions.lifecycle.reasons import ADVICE
from functions.lifecycle.record import Record, Run
from functions.lifecycle.rules import RULES

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


def test_a_pods_grace_begins_when_kserve_acts_not_with_the_stop():
    pod = replace(terminating(a_pod()), ends_by=later(100 + 30))
    assert verdict(stop_set(pod, observed_at=later(150)), STOPPING) == (State.STOPPING, "Draining")
    assert verdict(stop_set(pod, observed_at=later(161)), STOPPING) == (State.ERROR, "PodsNotGone")


def test_a_pod_that_a_finalizer_keeps_is_named_with_the_grace_that_was_asked_for():
    """Kubernetes sets a pod's grace to 0 when its processes have ended."""
    ended = replace(terminating(a_pod(), 0), finalizers=("example.com/audit",))
    found = derive(stop_set(ended, observed_at=later(31)), STOPPING, LIMITS)
    assert (found.state, found.reason) == (State.ERROR, "PodsNotGone")
    assert "grace of 30s; scorer-0 has the finalizer example.com/audit" in found.message
    forced = derive(stop_set(ended, observed_at=later(31), stop_note=a_stop_note(grace=7)), STOPPING, LIMITS)
    assert "grace of 7s" in forced.message


def test_a_long_grace_is_no_error_before_it_ends():
    seen = stop_set(terminating(a_pod(grace=300)), observed_at=later(290))
    assert verdict(seen, STOPPING) == (State.STOPPING, "Draining")


def test_a_stop_that_kserve_ignores_becomes_an_error():
    assert verdict(stop_set(a_pod(), said=False, observed_at=later(151)), STOPPING) == (State.ERROR, "StopIgnored")
    assert verdict(stop_set(a_pod(), said=False, observed_at=later(149)), STOPPING)[0] is State.STOPPING


def test_a_stop_that_waits_while_kserve_works_on_others_is_no_error():
    """KServe reconciles one model after the other: a bulk stop of hundreds takes minutes."""
    waiting = lambda seconds, moved: stop_set(  # noqa: E731
        a_pod(), said=False, observed_at=later(seconds), others_moved=moved and later(moved)
    )
    assert verdict(waiting(300, 290), STOPPING) == (State.STOPPING, "KServeBusy")
    assert verdict(waiting(300, 239), STOPPING) == (State.ERROR, "StopIgnored")
    assert verdict(waiting(300, None), STOPPING) == (State.ERROR, "StopIgnored")
    assert verdict(waiting(901, 900), STOPPING) == (State.ERROR, "StopIgnored")


def test_a_stop_that_kserve_is_known_to_ignore_is_an_error_at_once():
    blocker = Blocker(Code.STOP_UNSUPPORTED, "disable-auto-update is set", "Remove that annotation first.")
    found = derive(stop_set(a_pod(), said=False, stop_blocker=blocker), STOPPING, LIMITS)
    assert (found.state, found.reason) == (State.ERROR, "StopIgnored")
    assert "disable-auto-update is set. Remove that annotation first." in found.message
    assert verdict(stop_set(terminating(a_pod()), said=False, stop_blocker=blocker), STOPPING)[0] is State.STOPPING
    assert verdict(stop_set(stop_blocker=blocker), STOPPING)[0] is State.STOPPED
    assert verdict(running(stop_blocker=blocker))[0] is State.RUNNING


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


BEHIND = {
    "mode": Mode.KNATIVE,
    "may_scale_to_zero": True,
    "ready": Answer.FALSE,
    "trouble": Trouble("RevisionFailed", "exit code 1"),
    "traffic": {"scorer-1": 100},
    "failed_revision": "scorer-2",
}
OLD = a_pod("old", revision="scorer-1")
CRASHING = a_pod(
    "new", revision="scorer-2", ready=False, trouble=Trouble("CrashLoopBackOff", "exit code 1"), answer=None
)


@pytest.mark.parametrize("pods", [(OLD, CRASHING), (OLD,), (CRASHING,), ()], ids=["both", "old", "idle", "none"])
def test_a_failing_new_revision_leaves_the_one_with_the_traffic_running(pods):
    found = derive(running(*pods, **BEHIND, **({} if pods else {"pods": ()})), EMPTY, LIMITS)
    assert (found.state, found.reason) == (State.RUNNING, "Degraded")
    assert "Revision scorer-2 fails (exit code 1); scorer-1 has the traffic." in found.message


def test_a_revision_that_has_no_traffic_says_nothing_of_the_model():
    lost = replace(OLD, answer=PodAnswer(Answered.MISSING, "no model"), ready_since=later(-60))
    new = a_pod("new", revision="scorer-2")
    assert verdict(running(lost, new, **BEHIND)) == (State.ERROR, "ModelMissing")
    split = {"mode": Mode.KNATIVE, "traffic": {"scorer-1": 90, "scorer-2": 10}}
    assert verdict(running(lost, new, **split)) == (State.RUNNING, "Degraded")


LAGS = {"ready": Answer.FALSE, "ready_reason": "Progressing", "components": ("predictor",)}


def test_a_model_that_answers_runs_although_kserve_has_not_caught_up():
    found = derive(running(a_pod(), **LAGS), STARTING, LIMITS)
    assert (found.state, found.reason) == (State.RUNNING, "KServeBehind")
    assert found.message == "The model answers; KServe says Ready=False: Progressing still."


def test_an_old_pod_that_answers_beside_new_ones_that_crash_is_degraded_whatever_kserve_says():
    crashing = a_pod("new", ready=False, trouble=Trouble("CrashLoopBackOff", "exit code 1"), answer=None)
    found = derive(running(a_pod(), crashing, **LAGS), EMPTY, LIMITS)
    assert (found.state, found.reason) == (State.RUNNING, "Degraded")
    assert "exit code 1" in found.message
    assert "Ready=False: Progressing" in found.message


@pytest.mark.parametrize(
    ("pod", "changes"),
    [
        (a_pod(ready=False), {}),
        (a_pod(answer=PodAnswer(Answered.UNASKABLE)), {}),
        (a_pod(answer=PodAnswer(Answered.LOADING)), {}),
        (a_pod(), {"components": ("predictor", "transformer")}),
        (a_pod(), {"mode": Mode.KNATIVE}),
        (a_pod(), {"components": ()}),
    ],
    ids=["not-ready", "not-asked", "loading", "no-transformer", "no-route", "unknown"],
)
def test_without_an_answer_of_every_part_kserve_is_waited_for(pod, changes):
    assert verdict(running(pod, **{**LAGS, **changes}), STARTING)[0] is State.STARTING


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
