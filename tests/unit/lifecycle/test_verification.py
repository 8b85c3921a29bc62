"""Running means that it answers: what KServe's Ready is worth, pod by pod."""

from dataclasses import replace

import pytest
from builders import LIMITS, REF, a_pod, later, running

from events.artifact import Completeness
from events.model import Kind
from events.status import State
from functions.lifecycle.decide import decide
from functions.lifecycle.derive import derive
from functions.lifecycle.observation import Answer, Answered, Member, Mode, PodAnswer, Trouble
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Record, Reload, Run, Wanted

LOADED, MISSING, LOADING = Answered.LOADED, Answered.MISSING, Answered.LOADING
ASLEEP = Answered.ASLEEP
SILENT, UNASKABLE = Answered.UNANSWERED, Answered.UNASKABLE


def pods(*answers, **changes):
    return tuple(
        a_pod(f"pod-{number}", answer=what and PodAnswer(what, f"GET /v1/models/scorer: {what}"), **changes)
        for number, what in enumerate(answers)
    )


def judged(*answers, after=60, known=None, **changes):
    seen = running(*pods(*answers), observed_at=later(after), **changes)
    verdict = derive(seen, known or Record(ref=REF), LIMITS)
    return verdict.state, verdict.reason


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([LOADED], (State.RUNNING, None)),
        ([LOADED, LOADED], (State.RUNNING, None)),
        ([LOADED, MISSING], (State.RUNNING, "Degraded")),
        ([MISSING], (State.ERROR, "ModelMissing")),
        ([MISSING, UNASKABLE], (State.ERROR, "ModelMissing")),
        ([LOADED, UNASKABLE], (State.RUNNING, None)),
        ([ASLEEP], (State.RUNNING, "Asleep")),
        ([ASLEEP, MISSING], (State.RUNNING, "Asleep")),
        ([LOADED, ASLEEP], (State.RUNNING, "Degraded")),
        ([LOADING], (State.STARTING, "Verifying")),
        ([LOADING, MISSING], (State.STARTING, "Verifying")),
        ([UNASKABLE], (State.RUNNING, "Unverified")),
        ([None], (State.RUNNING, "Unverified")),
    ],
)
def test_what_the_pods_say_decides(answers, expected):
    assert judged(*answers) == expected


def test_a_server_that_is_just_up_gets_a_moment():
    assert judged(MISSING, after=4) == (State.STARTING, "Verifying")
    assert judged(MISSING, after=5) == (State.ERROR, "ModelMissing")


def test_the_message_says_what_is_missing_and_what_will_heal_it():
    seen = running(*pods(MISSING), observed_at=later(60), artifacts=("pvc://models/scorer",))
    message = derive(seen, Record(ref=REF), LIMITS).message
    assert "pod-0: GET /v1/models/scorer: missing" in message
    assert "pvc://models/scorer" in message and "modelswitch publish artifact" in message


def test_a_model_that_is_ready_for_long_is_not_past_its_start_for_being_asked_again():
    long_ago = later(-7200)
    assert judged(LOADING, ready_changed=long_ago) == (State.STARTING, "Verifying")
    reloading = Reload(
        run=Run(since=later(50), actor="training", key="/test r-1"),
        wanted=Wanted(uri="pvc://models/scorer", digest="sha256:1", value="sha256:1", complete=Completeness.STABLE),
    )
    old = running(*pods(MISSING, ready_since=long_ago), observed_at=later(60), ready_changed=long_ago)
    assert derive(old, Record(ref=REF, reload=reloading), LIMITS).reason == "Verifying"


def test_what_nobody_ever_asked_is_not_called_an_error():
    seen = running(*pods(None, ready_since=None), observed_at=later(60), ready_changed=later(-7200))
    verdict = derive(seen, Record(ref=REF), LIMITS)
    assert (verdict.state, verdict.reason) == (State.RUNNING, "Unverified")


def test_a_model_that_is_asleep_is_not_available_and_the_way_to_wake_it_is_said():
    record = Record(ref=REF, uid="model-1", state=State.RUNNING)
    asleep = observe(record, running(*pods(ASLEEP)), LIMITS).record
    assert (asleep.state, asleep.reason, asleep.available) == (State.RUNNING, "Asleep", False)
    assert "/wake_up" in asleep.message
    unasked = observe(asleep, running(*pods(None), observed_at=later(400)), LIMITS).record
    assert unasked.reason == "Asleep"
    awake = observe(unasked, running(*pods(LOADED), observed_at=later(401)), LIMITS).record
    assert (awake.reason, awake.available) == (None, True)


def test_a_look_that_asked_nobody_keeps_a_running_model_running():
    assert judged(None, known=Record(ref=REF, state=State.RUNNING)) == (State.RUNNING, None)
    assert judged(None, known=Record(ref=REF, state=State.STARTING)) == (State.STARTING, "Verifying")


def test_a_server_that_answered_before_may_be_busy_for_a_minute():
    record = observe(Record(ref=REF, uid="model-1", state=State.RUNNING), running(*pods(SILENT)), LIMITS).record
    assert (record.state, record.reason) == (State.RUNNING, "Unverified")
    for seconds, expected in ((30, State.RUNNING), (61, State.ERROR)):
        record = observe(record, running(*pods(SILENT), observed_at=later(seconds)), LIMITS).record
        assert record.state is expected
    assert record.reason == "ModelNotAnswering"
    back = observe(record, running(*pods(LOADED), observed_at=later(70)), LIMITS).record
    assert (back.state, back.unanswered_since) == (State.RUNNING, None)


def test_a_server_that_never_answered_gets_ten_seconds():
    record = Record(ref=REF, uid="model-1", state=State.STARTING)
    for seconds, expected in ((0, State.STARTING), (9, State.STARTING), (11, State.ERROR)):
        record = observe(record, running(*pods(SILENT), observed_at=later(seconds)), LIMITS).record
        assert record.state is expected


def test_transformers_and_workers_are_not_asked_for_a_model():
    transformer = a_pod("transformer", serves=False, answer=None)
    seen = running(*pods(LOADED), transformer)
    assert derive(seen, Record(ref=REF), LIMITS).state is State.RUNNING
    alone = derive(running(transformer), Record(ref=REF), LIMITS)
    assert (alone.state, alone.reason) == (State.RUNNING, "Unverified")


DECODE, PREFILL = "llminferenceservice-workload", "llminferenceservice-workload-prefill"


@pytest.mark.parametrize(
    ("decode", "prefill", "expected"),
    [
        (LOADED, LOADED, (State.RUNNING, None)),
        (LOADED, MISSING, (State.ERROR, "ModelMissing")),
        (MISSING, LOADED, (State.ERROR, "ModelMissing")),
        (LOADED, LOADING, (State.STARTING, "Verifying")),
        (LOADED, UNASKABLE, (State.RUNNING, "Unverified")),
        (UNASKABLE, MISSING, (State.ERROR, "ModelMissing")),
    ],
)
def test_each_role_of_an_llm_counts_for_itself(decode, prefill, expected):
    roles = (*pods(decode, component=DECODE), replace(*pods(prefill, component=PREFILL), uid="prefill"))
    verdict = derive(running(*roles, observed_at=later(60)), Record(ref=REF), LIMITS)
    assert (verdict.state, verdict.reason) == expected


@pytest.mark.parametrize("beside", [UNASKABLE, LOADED])
def test_a_silent_server_is_hidden_by_none_that_can_not_be_asked_nor_by_another_role(beside):
    other = pods(beside, component=DECODE if beside is UNASKABLE else PREFILL)
    record = Record(ref=REF, uid="model-1", state=State.RUNNING)
    for seconds in (0, 61):
        both = (*pods(SILENT, component=DECODE), replace(*other, uid="beside"))
        record = observe(record, running(*both, observed_at=later(seconds)), LIMITS).record
    assert (record.state, record.reason) == (State.ERROR, "ModelNotAnswering")


def test_knatives_old_revision_answers_while_the_new_one_does_not_come_up():
    crashing = a_pod("new", ready=False, answer=None, trouble=Trouble("CrashLoopBackOff", "keeps ending"))
    seen = running(*pods(LOADED), crashing, ready=Answer.UNKNOWN, routed=True, mode=Mode.KNATIVE)
    known = Record(ref=REF, state=State.RUNNING)
    verdict = derive(seen, known, LIMITS)
    assert (verdict.state, verdict.reason) == (State.RUNNING, "Degraded")
    assert derive(replace(seen, routed=False), known, LIMITS).state is State.ERROR
    assert derive(seen, Record(ref=REF, state=State.STARTING), LIMITS).state is State.ERROR


def test_it_answers_while_it_is_scaled_up_or_has_lost_one_of_its_pods():
    """KServe says Ready=False until every replica is there."""
    too_few = {"ready": Answer.FALSE, "ready_reason": "MinimumReplicasUnavailable", "routed": True}
    seen = running(*pods(LOADED), a_pod("new", ready=False, answer=None), **too_few)
    known = Record(ref=REF, state=State.RUNNING)
    assert derive(seen, known, LIMITS).state is State.RUNNING
    assert derive(replace(seen, ready_reason="Stopped"), known, LIMITS).state is State.STARTING
    assert derive(seen, Record(ref=REF, state=State.STARTING), LIMITS).state is State.STARTING
    assert derive(running(*pods(MISSING), **too_few), known, LIMITS).state is State.STARTING
    assert derive(running(a_pod(ready=False, answer=None), **too_few), known, LIMITS).state is State.STARTING


def test_a_knative_model_whose_pod_is_ready_but_empty_is_not_waking():
    assert judged(LOADING, mode=Mode.KNATIVE) == (State.STARTING, "Verifying")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([State.RUNNING, State.RUNNING], (State.RUNNING, None)),
        ([State.RUNNING, State.STARTING], (State.STARTING, "Verifying")),
        ([State.RUNNING, State.STOPPED], (State.ERROR, "MemberNotRunning")),
        ([State.ERROR, State.STARTING], (State.ERROR, "MemberNotRunning")),
        ([], (State.RUNNING, None)),
    ],
)
def test_a_graph_runs_when_its_router_and_its_members_do(states, expected):
    ref = REF.model_copy(update={"kind": Kind.INFERENCE_GRAPH})
    members = tuple(
        Member(REF.model_copy(update={"name": f"member-{number}"}), state) for number, state in enumerate(states)
    )
    seen = running(a_pod("router", serves=False, answer=None), ref=ref, members=members)
    verdict = derive(seen, Record(ref=ref), LIMITS)
    assert (verdict.state, verdict.reason) == expected
    if verdict.reason == "MemberNotRunning":
        assert "member-" in verdict.message


def message(*answers, **changes):
    return derive(running(*pods(*answers), observed_at=later(60), **changes), Record(ref=REF), LIMITS).message


def test_why_nobody_could_ask_is_said():
    assert message(None).endswith("could not be asked: its pods were not asked yet.")
    alone = running(a_pod("transformer", serves=False, answer=None))
    said = derive(alone, Record(ref=REF), LIMITS).message
    assert said.endswith("could not be asked: no container of its pods is known to serve a model.")


@pytest.mark.parametrize(
    ("artifacts", "said"),
    [
        ((), "KServe says Ready, but pod-0: GET /v1/models/scorer: missing. "),
        (
            ("s3://a", "s3://b"),
            "KServe says Ready, but pod-0: GET /v1/models/scorer: missing (artifact: s3://a, s3://b). ",
        ),
    ],
)
def test_what_is_missing_names_each_artifact_that_it_loads_from(artifacts, said):
    assert message(MISSING, artifacts=artifacts).startswith(said)


def test_how_many_are_without_the_model_and_what_one_of_them_said():
    assert message(LOADED, MISSING, MISSING) == (
        "2 of 3 pods without the model; pod-1: GET /v1/models/scorer: missing."
    )


@pytest.mark.parametrize(
    ("state", "seconds", "expected"),
    [
        (State.RUNNING, 60, (State.RUNNING, "Unverified")),
        (State.RUNNING, 61, (State.ERROR, "ModelNotAnswering")),
        (State.STARTING, 10, (State.STARTING, "Verifying")),
        (State.STARTING, 11, (State.ERROR, "ModelNotAnswering")),
    ],
)
def test_silence_counts_once_its_time_is_over(state, seconds, expected):
    record = Record(ref=REF, uid="model-1", state=state, unanswered_since=later(0))
    after = observe(record, running(*pods(SILENT), observed_at=later(seconds)), LIMITS).record
    assert (after.state, after.reason) == expected


def test_a_silent_server_is_looked_at_each_second():
    record = Record(ref=REF, uid="model-1", state=State.RUNNING)
    decision = decide(record, running(*pods(SILENT), observed_at=later(5)), None, LIMITS)
    assert decision.due == later(6)


@pytest.mark.parametrize("changes", [{"ready": False}, {"serves": False}])
def test_only_a_ready_server_counts_as_silent_or_not(changes):
    """What another pod says, or said before it lost its readiness, breaks no silence."""
    record = Record(ref=REF, uid="model-1", state=State.RUNNING)
    beside = a_pod("beside", **changes)
    after = observe(record, running(*pods(SILENT), beside, observed_at=later(5)), LIMITS).record
    assert after.unanswered_since == later(5)
    alone = observe(record, running(*pods(SILENT, **changes), observed_at=later(5)), LIMITS).record
    assert alone.unanswered_since is None


def test_of_many_members_that_are_down_five_are_named():
    ref = REF.model_copy(update={"kind": Kind.INFERENCE_GRAPH})
    names = [f"member-{number}" for number in range(7)]
    members = tuple(Member(REF.model_copy(update={"name": name}), State.STOPPED) for name in names)
    said = derive(
        running(a_pod("router", serves=False, answer=None), ref=ref, members=members), Record(ref=ref), LIMITS
    )
    listed = ", ".join(f"{name} is stopped" for name in names[:5])
    assert said.message.startswith(f"Its router is up, but {listed}. ")
