"""The smoke test as a part of the state: sent once to each pod, noted before, and only where the annotation is."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import asks as ask
import pytest
from asks import take_notification
from builders import LIMITS, REF, a_pod, start, stop
from reload_world import ONE, ReloadWorld, answering, reload

from events.status import State
from functions.lifecycle.derive import derive
from functions.lifecycle.observation import SMOKE_TEST_ANNOTATION, Answered
from functions.lifecycle.prediction import Outcome, Prediction, SmokeTestTry
from functions.lifecycle.reasons import advice
from functions.lifecycle.record import Record
from functions.lifecycle.smoke_test import tried, without_smoke_test

SMOKE_TEST = '{"payload": {"instances": [[1]]}}'
GOOD = Prediction(Outcome.GOOD, "200 {predictions: [1 of number]}", "p", "/v1/models/scorer:predict")
BAD = Prediction(Outcome.BAD, "500 ValueError", "p", "/v1/models/scorer:predict", "Read the predictor's log.")
UNREACHED = Prediction(Outcome.UNREACHED, "cannot be asked", "p", "/x", "no connection to 10.0.0.1:8080")
UNUSABLE = Prediction(Outcome.UNUSABLE, "its smoke test: it is not JSON", next="Correct it.")


@dataclass
class SmokeTestWorld(ReloadWorld):
    """`says` is what a prediction brings; `asked` are the pods that were sent one. `None`: no turn in time."""

    annotations: dict[str, str] = field(default_factory=lambda: {SMOKE_TEST_ANNOTATION: SMOKE_TEST})
    says: Prediction | None = GOOD
    asked: list[str] = field(default_factory=list)
    due: datetime | None = None

    def _carry_out(self, wanted):
        self.due = wanted.due if isinstance(wanted, ask.Commit) else self.due
        result = super()._carry_out(wanted)
        if isinstance(wanted, ask.Look) and wanted.predict:
            self.asked += wanted.predict
            pods = [replace(pod, prediction=self.says if pod.uid in wanted.predict else None) for pod in result.pods]
            return replace(result, pods=tuple(pods))
        return result


def starting(**changes):
    """A model that was seen before its pod was up, so that its start is told."""
    world = SmokeTestWorld(**changes)
    pods, world.pods = world.pods, [a_pod(ready=False, answer=None)]
    world.notification()
    world.pods = pods
    world.version += 1
    world.events.clear()
    return world


def test_it_is_started_only_once_its_pod_has_answered_the_smoke_test():
    world = starting(says=None)
    world.notification()
    assert (world.record.state, world.record.reason, world.told()) == (State.STARTING, "Verifying", [])
    assert "smoke test" in world.record.message
    world.says = GOOD
    world.later(16)
    world.notification()
    assert (world.record.state, world.record.reason, world.told()) == (State.RUNNING, None, ["started"])


def test_a_pod_that_answered_it_is_not_asked_again():
    world = starting()
    world.settle()
    assert world.asked == ["uid-scorer-0"]
    assert world.record.smoke_tests["uid-scorer-0"].outcome is Outcome.GOOD


def test_a_container_that_was_begun_again_is_asked_again_and_its_model_runs_only_once_it_answers():
    world = starting()
    world.settle()
    (pod,) = world.pods
    world.pods = [replace(pod, ready=False, answer=None, restarts=1)]
    world.version += 1
    world.settle()
    world.pods, world.says = [replace(pod, restarts=1)], BAD
    world.version += 1
    world.notification()
    assert world.asked == ["uid-scorer-0"] * 2
    assert (world.record.state, world.record.reason) == (State.ERROR, "SmokeTestFailed")


@pytest.mark.parametrize("annotations", [{}, {SMOKE_TEST_ANNOTATION: ""}])
def test_without_the_annotation_nothing_is_asked_and_nothing_is_remembered(annotations):
    world = starting(annotations=annotations)
    world.settle()
    assert (world.asked, world.record.smoke_tests) == ([], {})
    assert (world.record.state, world.told()) == (State.RUNNING, ["started"])


@pytest.mark.parametrize("says", [BAD, UNUSABLE])
def test_one_that_fails_is_an_error_that_says_what_came_back_and_what_to_do(says):
    world = starting(says=says)
    world.notification()
    assert (world.record.state, world.record.reason, world.told()) == (State.ERROR, "SmokeTestFailed", ["failed"])
    assert says.said in world.record.message and says.next in world.record.message
    assert "modelswitch.dev/smoke-test" in world.events[0].event.next_action


def test_one_that_fails_is_asked_again_ever_more_rarely_and_heals_by_itself():
    world = starting(says=BAD)
    world.notification()
    begun, times = world.now, []
    for _ in range(1500):
        world.later(1)
        before = len(world.asked)
        world.notification()
        times += [(world.now - begun).total_seconds()] * (len(world.asked) - before)
    assert times[:5] == [10, 30, 70, 150, 310]
    assert [after - one for one, after in pairwise(times[4:])] == [300] * (len(times) - 5)
    world.says = GOOD
    world.later(300)
    world.notification()
    assert (world.record.state, world.told()) == (State.RUNNING, ["failed", "started"])


def test_two_functions_never_ask_one_pod_at_once():
    world = starting()
    first = take_notification(REF, LIMITS, pods_version=world.version)
    wanted = ask.begin(first)
    while not (isinstance(wanted, ask.Look) and wanted.predict):
        wanted = first.send(world._carry_out(wanted))
    world.notification()
    assert world.asked == [], "it is noted that a process asks"
    world.run(first_from(first, wanted))
    assert (world.asked, world.record.state) == (["uid-scorer-0"], State.RUNNING)


def test_who_was_slower_to_note_it_does_not_ask():
    world = starting()
    first = take_notification(REF, LIMITS)
    wanted = ask.begin(first)
    while not isinstance(wanted, ask.Commit):
        wanted = first.send(world._carry_out(wanted))
    world.notification()
    assert world.asked == ["uid-scorer-0"]
    world.run(first_from(first, wanted))
    assert (world.asked, world.record.state) == (["uid-scorer-0"], State.RUNNING)


def first_from(step, wanted):
    """The rest of a step that has begun."""
    result = yield wanted
    try:
        while True:
            result = yield step.send(result)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("moment", range(1, 8))
def test_a_crash_while_it_is_asked_leaves_it_to_a_later_look(moment):
    world = starting()
    world.run(take_notification(REF, LIMITS), crash_before=moment)
    world.later(20)
    world.notification()
    assert (world.record.state, world.told()) == (State.RUNNING, ["started"])
    assert len(world.asked) <= 2


def test_a_look_in_passing_leaves_it_to_the_look_that_is_due_then():
    world = starting()
    world.run(take_notification(REF, LIMITS, in_passing=True))
    assert world.asked == []
    assert world.due == world.now + timedelta(seconds=1)
    world.later(1)
    world.notification()
    assert world.record.state is State.RUNNING


def test_a_model_first_seen_while_it_runs_is_not_told_of_as_started():
    world = SmokeTestWorld()
    world.run(take_notification(REF, LIMITS, in_passing=True))
    assert (world.record.state, world.record.reason) == (State.RUNNING, "Unverified")
    assert world.due == world.now + timedelta(seconds=1)
    world.notification()
    assert (world.record.state, world.record.reason, world.told()) == (State.RUNNING, None, [])
    assert world.due is None


def test_a_new_pod_is_asked_and_one_good_pod_is_enough():
    world = starting()
    world.settle()
    world.says = BAD
    world.pods = [*world.pods, a_pod("scorer-1")]
    world.version += 1
    world.notification()
    assert world.asked == ["uid-scorer-0", "uid-scorer-1"]
    assert (world.record.state, world.record.reason) == (State.RUNNING, "Degraded")
    assert "500 ValueError" in world.record.message
    assert world.due == world.now + timedelta(seconds=10)
    world.pods = world.pods[1:]
    world.version += 1
    world.notification()
    assert (world.record.reason, list(world.record.smoke_tests)) == ("SmokeTestFailed", ["uid-scorer-1"])


def test_another_smoke_test_is_sent_again():
    world = starting()
    world.settle()
    world.annotations = {SMOKE_TEST_ANNOTATION: '{"payload": 2}'}
    world.version += 1
    world.notification()
    assert world.asked == ["uid-scorer-0"] * 2


def test_one_that_cannot_be_asked_is_running_and_not_verified():
    world = starting(says=UNREACHED)
    world.notification()
    assert (world.record.state, world.record.reason) == (State.RUNNING, "Unverified")
    assert "no connection to 10.0.0.1:8080" in world.record.message


def test_only_a_pod_that_has_its_model_or_speaks_a_protocol_of_its_own_is_asked():
    for what in (Answered.MISSING, Answered.LOADING, Answered.UNANSWERED, Answered.UNASKABLE):
        world = starting(pods=[a_pod(answer=answering(what))])
        world.notification()
        assert world.asked == []
    own = replace(answering(Answered.UNASKABLE), own_protocol=True)
    world = starting(pods=[a_pod(answer=own)])
    world.notification()
    assert (world.asked, world.record.state, world.record.reason) == (["uid-scorer-0"], State.RUNNING, None)


def test_a_stop_is_not_kept_waiting_and_a_start_asks_the_new_pod():
    world = starting(says=BAD)
    world.notification()
    world.command(stop())
    world.settle()
    assert (world.record.state, world.record.smoke_tests) == (State.STOPPED, {})
    world.says = GOOD
    world.command(start())
    world.settle()
    assert (world.record.state, world.told()[-1]) == (State.RUNNING, "started")


def test_a_reload_is_told_only_once_the_new_pod_has_answered_it():
    world = starting()
    world.settle()
    world.events.clear()
    world.says = None
    world.command(reload(ONE))
    world.settle()
    assert (world.record.reload is not None, world.told()) == (True, [])
    world.says = GOOD
    world.later(16)
    world.hand_over()
    assert world.told() == ["reloaded"]
    assert len(set(world.asked)) == 2


def test_a_reload_whose_pod_fails_it_has_failed():
    world = starting(policy=False)
    world.settle()
    world.events.clear()
    world.says = BAD
    world.command(reload(ONE))
    world.settle()
    assert (world.record.state, world.record.reason) == (State.ERROR, "SmokeTestFailed")
    failed = next(told.event for told in world.events if told.event.during == "reload")
    assert (failed.code, "500 ValueError" in failed.message) == ("SmokeTestFailed", True)
    assert "reloaded" not in world.told()


def test_a_reload_whose_pod_fails_it_beside_an_old_pod_that_serves_has_failed_too():
    world = starting()
    world.settle()
    world.events.clear()
    world.says = BAD
    world.command(reload(ONE))
    world.settle()
    assert (world.record.state, world.record.reason, world.told()) == (State.RUNNING, "Degraded", ["failed"])
    assert world.events[0].event.code == "SmokeTestFailed"
    assert world.events[0].event.next_action == advice("SmokeTestFailed")


def test_who_has_no_record_of_it_judges_without():
    seen = SmokeTestWorld().look()
    assert derive(seen, Record(ref=REF, state=State.STARTING), LIMITS).state is State.STARTING
    assert derive(without_smoke_test(seen), Record(ref=REF, state=State.STARTING), LIMITS).state is State.RUNNING


def test_what_failed_often_is_still_asked_every_five_minutes():
    tried, world = SmokeTestTry(of="x", failures=10_000), SmokeTestWorld()
    assert tried.after(BAD, world.now).again_at == world.now + timedelta(minutes=5)


def test_who_judges_without_keeps_all_that_else_is_said_of_the_model():
    """A model under a stop is no running one for want of a record."""
    wanted = {"serving.kserve.io/stop": "true"}
    world = SmokeTestWorld(annotations={SMOKE_TEST_ANNOTATION: SMOKE_TEST, **wanted})
    assert without_smoke_test(world.look()).annotations == wanted
    plain = SmokeTestWorld(annotations=wanted).look()
    assert without_smoke_test(plain) == plain


@pytest.mark.parametrize("changes", [{"ready": False}, {"serves": False}, {"deleting": True}, {"answer": None}])
def test_a_pod_that_does_not_serve_yet_or_any_more_is_not_asked(changes):
    world = starting(pods=[a_pod(**changes)])
    world.notification()
    assert (world.asked, world.record.smoke_tests) == ([], {})


def test_what_another_look_brought_and_could_not_keep_counts():
    seen = replace(SmokeTestWorld().look(), pods=(a_pod(prediction=BAD),))
    found = tried(Record(ref=REF), seen)["uid-scorer-0"]
    assert (found.outcome, found.failures) == (Outcome.BAD, 1)
    again = replace(seen, observed_at=seen.observed_at + timedelta(seconds=10))
    assert tried(Record(ref=REF, smoke_tests={"uid-scorer-0": found}), again)["uid-scorer-0"].failures == 2


def test_one_that_fails_and_loses_its_readiness_keeps_its_place_in_the_back_off():
    world = starting(says=BAD)
    world.notification()
    world.later(10)
    world.notification()
    before = world.record.smoke_tests["uid-scorer-0"]
    world.pods = [replace(world.pods[0], ready=False), a_pod("scorer-1")]
    world.says = GOOD
    world.version += 1
    world.notification()
    assert (before.failures, world.record.smoke_tests["uid-scorer-0"]) == (2, before)
    world.later(100)
    world.notification()
    assert world.record.state is State.RUNNING
    assert world.due == world.now + timedelta(seconds=10), "its time has come, but it is not ready: no look each second"


@pytest.mark.parametrize("known", ["Unverified", None])
def test_until_a_running_models_new_pod_was_asked_what_was_known_before_holds(known):
    world = SmokeTestWorld(says=None)
    record = Record(ref=REF, uid="model-1", state=State.RUNNING, reason=known)
    verdict = derive(world.look(), record, LIMITS)
    assert (verdict.state, verdict.reason) == (State.RUNNING, known)
    if known:
        assert verdict.message.endswith("could not be asked: its smoke test was not sent yet.")


def test_what_failed_is_said_in_whole_sentences_with_and_without_a_way_out():
    said = "KServe says Ready, but its smoke test fails: p: POST /v1/models/scorer:predict: 500 ValueError. "
    for says, then in ((BAD, "Read the predictor's log. "), (replace(BAD, next=""), "")):
        world = starting(says=says)
        world.notification()
        assert world.record.message == f"{said}{then}{advice('SmokeTestFailed')}"


def test_how_many_pods_fail_it_is_said():
    world = starting()
    world.settle()
    world.says = BAD
    world.pods = [*world.pods, a_pod("scorer-1"), a_pod("scorer-2")]
    world.version += 1
    world.notification()
    assert world.record.message.startswith("2 of 3 pods fail the smoke test; p: POST")
