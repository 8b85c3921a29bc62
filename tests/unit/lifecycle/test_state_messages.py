"""What people read for each state: reason, the numbers, and what to do next, word for word."""

from datetime import timedelta

import pytest
from builders import LIMITS, NOW, REF, a_pod, a_stop_note, later, running, stop_set, terminating

from events.status import Hold, HoldKind, State
from functions.lifecycle.derive import derive, next_look
from functions.lifecycle.observation import Answer, Mode, ScaledDown, Trouble
from functions.lifecycle.reasons import advice
from functions.lifecycle.record import Record, Run
from functions.lifecycle.scene import Limits

EMPTY = Record(ref=REF)
STOPPING = Record(ref=REF, stop=Run(since=NOW, actor="oncall", key="k"))
STARTING = Record(ref=REF, start=Run(since=NOW, actor="oncall", key="k"))
NO_GPU = Trouble("Unschedulable", "1 Insufficient nvidia.com/gpu")
REASONED = a_stop_note(holds=(Hold(kind=HoldKind.USER, actor="oncall", reason="drift"),))
UNREADY = {"ready": Answer.FALSE}


def read(seen, record=EMPTY):
    found = derive(seen, record, LIMITS)
    return found.state.value, found.reason, found.message


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (stop_set(deleting=True), ("stopping", "Deleting", "The resource is being deleted.")),
        (
            stop_set(terminating(a_pod()), observed_at=later(61)),
            (
                "error",
                "PodsNotGone",
                "1 pod on node1 did not end within the grace of 30s. Check the node (kubectl get nodes) and the pods' "
                "finalizers.",
            ),
        ),
        (
            stop_set(
                terminating(a_pod("a", node="node2", grace=40)),
                terminating(a_pod("b")),
                terminating(a_pod("c", node=None), 5),
                observed_at=later(71),
            ),
            (
                "error",
                "PodsNotGone",
                "3 pods on node1, node2 did not end within the grace of 40s. Check the node (kubectl get nodes) and the "
                "pods' finalizers.",
            ),
        ),
        (
            stop_set(terminating(a_pod(node=None), 1), observed_at=later(32)),
            (
                "error",
                "PodsNotGone",
                "1 pod on no node did not end within the grace of 1s. Check the node (kubectl get nodes) and the pods' "
                "finalizers.",
            ),
        ),
        (
            stop_set(a_pod(), said=False, observed_at=later(150.6)),
            (
                "error",
                "StopIgnored",
                "KServe has not acted on the stop for 151s and 1 pod still run. Check the KServe controller's log; start "
                "the model to withdraw the stop.",
            ),
        ),
        (
            stop_set(said=False, observed_at=later(121)),
            (
                "error",
                "StopIgnored",
                "KServe has not acted on the stop for 121s and 0 pods still run. Check the KServe controller's log; start "
                "the model to withdraw the stop.",
            ),
        ),
        (
            stop_set(terminating(a_pod("a"), 5), terminating(a_pod("b"), 0)),
            ("stopping", "Draining", "2 pods may finish requests for up to 5s."),
        ),
        (
            stop_set(a_pod(grace=300), said=False),
            ("stopping", "Draining", "1 pod may finish requests for up to 300s."),
        ),
        (
            stop_set(said=False),
            ("stopping", "AwaitingKServe", "No pod is left; KServe has not confirmed the stop yet."),
        ),
        (
            stop_set(),
            (
                "stopped",
                "StoppedOutside",
                "Stopped outside modelswitch by an unknown client. Start it to run it again.",
            ),
        ),
        (
            stop_set(stop_actor="kubectl-annotate"),
            ("stopped", "StoppedOutside", "Stopped outside modelswitch by kubectl-annotate. Start it to run it again."),
        ),
        (
            stop_set(stop_note=a_stop_note(holds=())),
            (
                "stopped",
                "StoppedOutside",
                "Stopped outside modelswitch by an unknown client. Start it to run it again.",
            ),
        ),
        (
            stop_set(stop_note=a_stop_note()),
            ("stopped", "StoppedByUser", "Stopped by oncall. Start it to run it again."),
        ),
        (
            stop_set(stop_note=REASONED),
            ("stopped", "StoppedByUser", "Stopped by oncall: drift. Start it to run it again."),
        ),
    ],
)
def test_what_a_model_that_is_stopped_or_stopping_says(seen, expected):
    assert read(seen, STOPPING) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (running(), ("running", None, None)),
        (
            running(a_pod(), a_pod("b", ready=False, trouble=NO_GPU)),
            ("running", "Degraded", "1 of 2 pods ready; b: 1 Insufficient nvidia.com/gpu."),
        ),
        (
            running(pods=(), mode=Mode.KNATIVE, may_scale_to_zero=True),
            ("running", "ScaledToZero", "Idle without pods; the next request wakes it. A stop keeps it down."),
        ),
        (
            running(
                pods=(), may_scale_to_zero=True, scaled_down=ScaledDown("scorer-predictor", "keda-operator", "keda")
            ),
            (
                "starting",
                "AwaitingScaler",
                "scorer-predictor has 0 replicas until its autoscaler (keda) wants one; a request does not wake it. Check "
                "what its autoscaler waits for (kubectl describe scaledobject, hpa); a stop keeps it down.",
            ),
        ),
        (
            running(pods=(), scaled_down=ScaledDown("scorer-predictor", "kubectl-scale")),
            (
                "error",
                "ScaledToZeroOutside",
                "Deployment scorer-predictor is scaled to 0 by kubectl-scale, and KServe leaves it so. Stop and start the "
                "model: KServe then makes the Deployment with replicas again; or scale it up (kubectl scale) and stop what "
                "scales it down.",
            ),
        ),
        (
            running(a_pod(ready=False), mode=Mode.KNATIVE),
            ("running", "Waking", "A request is waking it from zero."),
        ),
        (
            running(a_pod(ready=False, trouble=NO_GPU), **UNREADY),
            (
                "error",
                "Unschedulable",
                "scorer-0: 1 Insufficient nvidia.com/gpu. It starts by itself when another model is stopped or a node is "
                "added; stop it to leave the queue.",
            ),
        ),
        (
            running(a_pod(ready=False, trouble=Trouble("NewToUs", "what is this?")), **UNREADY),
            ("error", "NewToUs", "scorer-0: what is this?"),
        ),
        (
            running(pods=(), trouble=Trouble("QuotaExceeded", "exceeded quota: q"), **UNREADY),
            (
                "error",
                "QuotaExceeded",
                "exceeded quota: q. Stop another model of this namespace or ask for a larger quota; it starts by itself "
                "when there is room.",
            ),
        ),
        (
            running(a_pod(ready=False), observed_at=later(900.4), **UNREADY),
            (
                "error",
                "StartDeadlineExceeded",
                "Not ready after 900s (0 of 1 pod ready); its start deadline is 900s (START_DEADLINE of the installation). Read the "
                "pods' logs (kubectl logs). Where it still loads, give it longer (annotation modelswitch.dev/start-deadline, "
                "set while it is stopped); where it hangs, stop it to free what it holds.",
            ),
        ),
        (
            stop_set(annotations={}),
            ("starting", "AwaitingKServe", "The stop is withdrawn; KServe has not made the pods yet."),
        ),
        (running(pods=(), **UNREADY), ("starting", "AwaitingPods", "KServe has not made the pods yet.")),
        (
            running(terminating(a_pod()), **UNREADY),
            ("starting", "AwaitingPods", "KServe has not made the pods yet."),
        ),
        (
            running(a_pod(), **UNREADY),
            ("starting", "AwaitingRoute", "The pods are ready; KServe has not opened the route yet."),
        ),
        (
            running(a_pod("a"), a_pod("b"), a_pod("c", ready=False), a_pod("d", finished=True), **UNREADY),
            ("starting", "PodsStarting", "2 of 3 pods ready."),
        ),
    ],
)
def test_what_a_model_that_should_run_says(seen, expected):
    assert read(seen, STARTING) == expected


@pytest.mark.parametrize("end", [".", "!", "?", "…"])
def test_a_sentence_that_has_its_end_gets_no_second_one(end):
    seen = running(a_pod(ready=False, trouble=Trouble("NewToUs", f"no such image{end}")), **UNREADY)
    assert read(seen)[2] == f"scorer-0: no such image{end}"


@pytest.mark.parametrize(
    ("seen", "record", "state"),
    [
        (stop_set(terminating(a_pod()), observed_at=later(60)), STOPPING, State.STOPPING),
        (stop_set(a_pod(), said=False, observed_at=later(150)), STOPPING, State.STOPPING),
        (running(a_pod(ready=False), observed_at=later(900), **UNREADY), STARTING, State.STARTING),
        (stop_set(a_pod(), said=False, observed_at=later(9999)), EMPTY, State.STOPPING),
        (running(a_pod(ready=False), observed_at=later(9999), **UNREADY), EMPTY, State.STARTING),
    ],
)
def test_no_limit_is_passed_at_the_limit_itself_nor_where_no_beginning_is_known(seen, record, state):
    assert derive(seen, record, LIMITS).state is state


def test_a_start_of_ours_counts_from_its_acceptance_whatever_kserve_says_of_readiness():
    seen = running(a_pod(ready=False), ready_changed=NOW - timedelta(days=1), **UNREADY)
    assert derive(seen, STARTING, LIMITS).state is State.STARTING


def test_the_default_deadline_of_a_start_is_a_quarter_of_an_hour():
    assert Limits().start_deadline == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (State.STOPPING, 1),
        (State.STARTING, 1),
        (State.ERROR, 10),
        (State.RUNNING, None),
        (State.STOPPED, None),
    ],
)
def test_what_moves_is_looked_at_again_soon_and_what_rests_is_left_to_the_resync(state, seconds):
    record = Record(ref=REF, state=state)
    assert next_look(record, at_once=False, now=NOW) == (None if seconds is None else later(seconds))
    assert next_look(record, at_once=True, now=NOW) == NOW


def test_what_waits_in_a_queue_is_looked_at_again_less_often():
    held = Record(ref=REF, state=State.STARTING, reason="SchedulingGated")
    assert next_look(held, at_once=False, now=NOW) == later(10)


def test_no_advice_is_made_up():
    assert advice(None) is None
    assert advice("SomethingNew") is None


def test_a_model_that_nobody_has_looked_at_has_no_status():
    with pytest.raises(ValueError, match=r"^InferenceService fraud/scorer has not been looked at yet$"):
        EMPTY.status()
    with pytest.raises(ValueError, match="has not been looked at yet"):
        Record(ref=REF, state=State.RUNNING).status()
