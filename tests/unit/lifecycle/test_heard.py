"""Two processes look at the same pods, and only one of them reaches them: the state is what that one heard."""

import itertools

import pytest
from builders import LIMITS, REF, a_pod, later, running

from events.model import Kind, ModelRef
from events.status import State
from functions.lifecycle.decide import decide
from functions.lifecycle.heard import HELD_FOR, MOST_KEPT, NOTED_AGAIN_AFTER
from functions.lifecycle.observation import Answered, Member, PodAnswer
from functions.lifecycle.prediction import Outcome, Prediction

SMOKE_TEST = {"modelswitch.dev/smoke-test": '{"payload": 1}'}
NO_CONNECTION = PodAnswer(Answered.UNASKABLE, "no connection to 10.0.0.1:8080")
OWN_PROTOCOL = PodAnswer(Answered.UNASKABLE, "its server implements no known readiness protocol", own_protocol=True)
GRAPH = ModelRef(namespace="fraud", name="route", kind=Kind.INFERENCE_GRAPH)


def answered(what):
    return what if isinstance(what, PodAnswer) or what is None else PodAnswer(what, f"GET /v1/models/m: {what}")


def looks(*answers, every=10, begin=60, pods=None, annotations=None, record=None):
    """One look after another, each by any process: the record, and what each look made known."""
    events, versions = [], itertools.count(11)
    for number, what in enumerate(answers):
        seen = running(
            *(pods or (lambda answer: [a_pod(answer=answer)]))(answered(what)),
            observed_at=later(begin + number * every),
            version=next(versions),
            annotations=annotations or {},
        )
        decision = decide(record, seen, None, LIMITS)
        events += [*decision.events, *(entry for entry in decision.audit if entry.action == "state")]
        record = decision.record
    return record, events


def state(record):
    return record.state, record.reason


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (Answered.MISSING, (State.ERROR, "ModelMissing")),
        (Answered.LOADED, (State.RUNNING, None)),
        (Answered.LOADING, (State.STARTING, "Verifying")),
    ],
)
@pytest.mark.parametrize("other", [NO_CONNECTION, OWN_PROTOCOL, None])
def test_who_could_not_ask_changes_nothing_of_what_another_heard(heard, expected, other):
    record, events = looks(heard, *([other, heard] * 10))
    assert state(record) == expected
    assert events == []
    record, events = looks(heard, *([other] * 5))
    assert state(record) == expected
    assert events == []


def test_a_silent_server_stays_silent_for_whoever_does_not_reach_it():
    record, _ = looks(Answered.UNANSWERED, *([NO_CONNECTION, Answered.UNANSWERED] * 5))
    assert state(record) == (State.ERROR, "ModelNotAnswering")
    record, events = looks(NO_CONNECTION, NO_CONNECTION, begin=180, record=record)
    assert state(record) == (State.ERROR, "ModelNotAnswering")
    assert events == []


def test_that_a_server_has_a_protocol_of_its_own_holds_against_no_connection():
    record, _ = looks(OWN_PROTOCOL, NO_CONNECTION)
    assert record.heard["uid-scorer-0"].own_protocol
    assert "no known readiness protocol" in record.message


def test_another_answer_replaces_it_at_once():
    record, _ = looks(Answered.MISSING, NO_CONNECTION, Answered.LOADED, NO_CONNECTION)
    assert state(record) == (State.RUNNING, None)


def test_it_holds_for_five_minutes_from_when_it_was_heard():
    minutes = HELD_FOR.total_seconds()
    record, _ = looks(Answered.LOADED, *([NO_CONNECTION] * 6), every=minutes / 5)
    assert state(record) == (State.RUNNING, "Unverified")
    record, _ = looks(Answered.LOADED, *([NO_CONNECTION] * 5), every=minutes / 5)
    assert state(record) == (State.RUNNING, None)


def test_it_says_nothing_of_another_pod_or_of_a_container_that_was_begun_again():
    record, _ = looks(Answered.MISSING)
    new, _ = looks(NO_CONNECTION, begin=70, pods=lambda answer: [a_pod("new", answer=answer)], record=record)
    assert state(new) == (State.RUNNING, "Unverified")
    again, _ = looks(NO_CONNECTION, begin=70, pods=lambda answer: [a_pod(restarts=1, answer=answer)], record=record)
    assert state(again) == (State.RUNNING, "Unverified")


def test_of_a_thousand_pods_a_record_keeps_a_hundred():
    record, _ = looks(Answered.LOADED, pods=lambda answer: [a_pod(str(n), answer=answer) for n in range(1000)])
    assert len(record.heard) == MOST_KEPT
    record, _ = looks(PodAnswer(Answered.MISSING, "x" * 100_000))
    assert len(record.heard["uid-scorer-0"].detail) <= 300


def test_a_smoke_test_that_failed_is_not_withdrawn_by_a_process_that_can_not_send_it():
    def sent(outcome, said):
        return lambda answer: [a_pod(answer=answer, prediction=Prediction(outcome, said))]

    record, _ = looks(Answered.LOADED, annotations=SMOKE_TEST, pods=sent(Outcome.BAD, "500 no"))
    assert state(record) == (State.ERROR, "SmokeTestFailed")
    unreached = sent(Outcome.UNREACHED, "cannot be asked")
    record, events = looks(Answered.LOADED, begin=80, annotations=SMOKE_TEST, pods=unreached, record=record)
    assert state(record) == (State.ERROR, "SmokeTestFailed")
    assert events == []
    record, _ = looks(Answered.LOADED, begin=90, annotations=SMOKE_TEST, pods=sent(Outcome.GOOD, "200"), record=record)
    assert state(record) == (State.RUNNING, None)


def test_a_graphs_member_is_what_whoever_could_ask_it_found():
    member = ModelRef(namespace="fraud", name="scorer")
    down = Member(member, State.ERROR, "ModelMissing")
    unknown = Member(member, State.RUNNING, "Unverified", unverified=True)
    record, states = None, []
    for number, found in enumerate([down, unknown, down, unknown, Member(member, State.RUNNING), unknown]):
        seen = running(ref=GRAPH, observed_at=later(60 + number), version=11 + number, members=(found,))
        record = decide(record, seen, None, LIMITS).record
        states.append(state(record))
    assert states == [(State.ERROR, "MemberNotRunning")] * 4 + [(State.RUNNING, None)] * 2


def test_a_look_that_asked_nobody_keeps_what_nobody_could_ask():
    record, events = looks(NO_CONNECTION, None, NO_CONNECTION)
    assert state(record) == (State.RUNNING, "Unverified")
    assert events == []
    assert record.ref == REF


def test_the_same_answer_again_is_noted_only_once_the_noted_one_gets_old():
    """A record that changed with each look would be written at each, and what is due for its model be put off each
    time.
    """
    record, _ = looks(Answered.LOADED, Answered.LOADED)
    again, _ = looks(Answered.LOADED, begin=60 + NOTED_AGAIN_AFTER.total_seconds(), record=record)
    assert again.heard == record.heard
    old, _ = looks(Answered.LOADED, begin=61 + NOTED_AGAIN_AFTER.total_seconds(), record=again)
    assert old.heard != record.heard
    changed, _ = looks(Answered.MISSING, begin=61, record=record)
    assert changed.heard != record.heard
