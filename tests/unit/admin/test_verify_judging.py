"""Who says what of a model, and when that is a difference."""

from datetime import timedelta

import pytest
from verify_seen import GRPC, LOADED, LOADING, MISSING, NOW, REF, SILENT, a_pod, seen, sighting

from events.model import Kind, ModelRef
from events.status import State
from functions.admin.verify.judging import Standing, judge
from functions.admin.verify.sighting import Sighting
from functions.lifecycle.observation import (
    STOP_ANNOTATION,
    Answer,
    Answered,
    Member,
    Mode,
    Observation,
    PodAnswer,
    Trouble,
)
from functions.lifecycle.prediction import Outcome, Prediction

STOP = {"annotations": {STOP_ANNOTATION: "true"}, "ready": Answer.FALSE, "ready_reason": "Stopped"}
STOPPED = {**STOP, "stopped_condition": Answer.TRUE}
ASLEEP = {"mode": Mode.KNATIVE, "may_scale_to_zero": True}
CRASHES = Trouble("CrashLoopBackOff", "container kserve-container keeps ending")
GRAPH = ModelRef(namespace="ml", name="route", kind=Kind.INFERENCE_GRAPH)


@pytest.mark.parametrize(
    ("seen_of_it", "kserve", "pods", "standing"),
    [
        (sighting(a_pod()), "Ready", "loaded 1/1", Standing.ANSWERS),
        (sighting(a_pod(), a_pod(LOADED, "p-1")), "Ready", "loaded 2/2", Standing.ANSWERS),
        (sighting(a_pod(), a_pod(name="p-1", ready=False)), "Ready", "loaded 1/2, not ready 1/2", Standing.ANSWERS),
        (sighting(a_pod(), a_pod(name="t", serves=False)), "Ready", "loaded 1/1", Standing.ANSWERS),
        (sighting(a_pod(MISSING)), "Ready", "missing 1/1", Standing.DIFFERS),
        (sighting(a_pod(MISSING, up_for=1)), "Ready", "missing 1/1", Standing.DIFFERS),
        (sighting(a_pod(), a_pod(MISSING, "p-1")), "Ready", "loaded 1/2, missing 1/2", Standing.DIFFERS),
        (sighting(a_pod(), a_pod(MISSING, "p-1", up_for=1)), "Ready", "loaded 1/2, missing 1/2", Standing.ANSWERS),
        (sighting(a_pod(), a_pod(LOADING, "p-1")), "Ready", "loaded 1/2, loading 1/2", Standing.ANSWERS),
        (sighting(a_pod(LOADING)), "Ready", "loading 1/1", Standing.DIFFERS),
        (sighting(a_pod(SILENT)), "Ready", "unanswered 1/1", Standing.DIFFERS),
        (sighting(a_pod(GRPC)), "Ready", "cannot be asked 1/1", Standing.UNVERIFIED),
        (sighting(a_pod(None)), "Ready", "not asked 1/1", Standing.DIFFERS),
        (sighting(a_pod(name="x", serves=False)), "Ready", "no server", Standing.UNVERIFIED),
        (sighting(), "Ready", "no pod", Standing.DIFFERS),
        (sighting(a_pod(ready=False)), "Ready", "not ready 1/1", Standing.DIFFERS),
        (sighting(a_pod(ready=False, trouble=CRASHES)), "Ready", "not ready 1/1", Standing.DIFFERS),
        (sighting(**ASLEEP), "ScaledToZero", "no pod", Standing.IDLE),
        (sighting(a_pod(ready=False), **ASLEEP), "Ready", "not ready 1/1", Standing.IDLE),
        (sighting(a_pod(MISSING), ready=Answer.FALSE), "NotReady", "missing 1/1", Standing.STARTING),
        (sighting(a_pod(ready=False), ready=Answer.UNKNOWN), "Unknown", "not ready 1/1", Standing.STARTING),
        (
            sighting(a_pod(ready=False, trouble=CRASHES), ready=Answer.FALSE, ready_reason="PredictorNotReady"),
            "NotReady (PredictorNotReady)",
            "not ready 1/1",
            Standing.ERROR,
        ),
        (sighting(**STOPPED), "Stopped", "no pod", Standing.STOPPED),
        (sighting(a_pod(), **STOPPED), "Stopped", "not asked 1/1", Standing.STOPPING),
        (sighting(a_pod(), deleting=True), "Deleting", "loaded 1/1", Standing.STOPPING),
        (Sighting(Observation(REF, NOW, exists=False)), "-", "-", Standing.ABSENT),
    ],
)
def test_each_says_its_own_and_the_verdict_follows(seen_of_it, kserve, pods, standing):
    row = judge(seen_of_it)
    assert (row.kserve, row.pods, row.standing) == (kserve, pods, standing)


def test_only_a_difference_and_what_is_not_there_is_wrong():
    wrong = {Standing.DIFFERS, Standing.ABSENT}
    row = judge(sighting(a_pod()))
    assert {one for one in Standing if type(row)(REF, "", "", row.prediction, one).wrong} == wrong


def test_what_starts_or_is_in_error_is_waited_for_and_no_more():
    row = judge(sighting(a_pod()))
    unsettled = {one for one in Standing if not type(row)(REF, "", "", row.prediction, one).settled}
    assert unsettled == {Standing.DIFFERS, Standing.ABSENT, Standing.STARTING, Standing.ERROR}


def test_a_server_that_stays_silent_is_said_to_be():
    row = judge(sighting(a_pod(SILENT), unanswered_since=NOW - timedelta(seconds=11)))
    assert (row.standing, row.next) == (
        Standing.DIFFERS,
        "Read the predictor's log: it may hang; stop and start the model.",
    )


@pytest.mark.parametrize(
    ("answer", "outcome", "standing"),
    [
        (LOADED, Outcome.GOOD, Standing.ANSWERS),
        (LOADED, Outcome.BAD, Standing.DIFFERS),
        (LOADED, Outcome.UNUSABLE, Standing.DIFFERS),
        (LOADED, Outcome.UNREACHED, Standing.ANSWERS),
        (GRPC, Outcome.NOT_ASKED, Standing.UNVERIFIED),
        (GRPC, Outcome.GOOD, Standing.ANSWERS),
        (GRPC, Outcome.BAD, Standing.DIFFERS),
        (GRPC, Outcome.UNREACHED, Standing.UNVERIFIED),
        (MISSING, Outcome.NOT_ASKED, Standing.DIFFERS),
    ],
)
def test_a_prediction_counts_beside_what_the_pods_say(answer, outcome, standing):
    made = Prediction(outcome, "500 no", "p-0", "/v1/models/fraud:predict", "Read the log.")
    row = judge(sighting(a_pod(answer), prediction=made))
    assert row.standing is standing
    if outcome is Outcome.BAD:
        assert "p-0, POST /v1/models/fraud:predict: 500 no" in (row.what or "")


@pytest.mark.parametrize(("member", "standing"), [(State.RUNNING, Standing.ANSWERS), (State.ERROR, Standing.DIFFERS)])
def test_a_graph_is_as_its_members_are(member, standing):
    router = a_pod(name="router", serves=False)
    graph = Observation(
        GRAPH, NOW, exists=True, ready=Answer.TRUE, pods=(router,), members=(Member(REF, member, "why"),)
    )
    assert judge(Sighting(graph)).standing is standing


def test_a_stopped_model_whose_ready_condition_lags_is_no_difference():
    lagging = seen(annotations={STOP_ANNOTATION: "true"}, ready=Answer.TRUE)
    assert not judge(Sighting(lagging)).wrong


def test_a_right_that_is_missing_is_told_apart_from_a_network_that_is():
    assert judge(sighting(a_pod(PodAnswer(Answered.UNASKABLE, "no right", forbidden=True)))).forbidden
    unsent = Prediction(Outcome.UNREACHED, "cannot be asked", "p-0", "/x", "no right", forbidden=True)
    assert judge(sighting(a_pod(), prediction=unsent)).forbidden
    assert not judge(sighting(a_pod(PodAnswer(Answered.UNASKABLE, "no connection to 10.0.0.1:8080")))).forbidden
    assert not judge(sighting(a_pod(MISSING))).forbidden


def test_a_smoke_test_is_advised_where_the_server_has_a_protocol_of_its_own():
    own = PodAnswer(Answered.UNASKABLE, "it says nothing of a model", own_protocol=True)
    assert "--predict" in (judge(sighting(a_pod(own))).next or "")
    assert judge(sighting(a_pod(GRPC))).next is None
