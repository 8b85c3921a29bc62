"""The old pods of a rolling reload: kept until new ones answer, out of their Service before they end."""

from dataclasses import replace

import pytest
from builders import LIMITS, NOW, REF, a_pod, later, running, stop, terminating
from reload_world import ONE, TWO, URI, ReloadWorld, answering, reload

from events.artifact import Strategy
from events.model import Kind
from events.status import State
from functions.lifecycle.decide import decide
from functions.lifecycle.decision import Decision
from functions.lifecycle.effects import DeletePod, MarkPod, PatchModel
from functions.lifecycle.handover import LEAVES_FOR, end_left, hand_over, keep_old_pods
from functions.lifecycle.observation import DIGEST_ANNOTATION, Answered, Handover, Mode, Owner
from functions.lifecycle.record import Record

KEPT, LEAVING = Handover.KEPT, Handover.LEAVING
NEWER = Owner("ReplicaSet", "scorer-predictor-new", "rs-2")


def world_with_a_reload(**changes):
    world = ReloadWorld(**changes)
    world.settle()
    world.events.clear()
    world.command(reload(ONE))
    return world


def old(name="old", **changes):
    return a_pod(name, handover=KEPT, answer=answering(), **changes)


def new(name="new", what=Answered.LOADED, **changes):
    return a_pod(name, **{"digest": ONE, "owner": NEWER, "answer": answering(what), **changes})


def marked(*pods, wanted, **changes):
    """{name: mark} that a look at these pods brings, of a model whose reload of ONE is over or failed."""
    seen = running(*pods, wanted={"rs-1": wanted}, annotations={DIGEST_ANNOTATION: ONE}, **changes)
    decision = hand_over(Decision(Record(ref=REF, state=State.RUNNING)), seen, None)
    return {effect.name: effect.handover for effect in decision.effects if isinstance(effect, MarkPod)}


def test_a_pod_serves_on_until_the_new_one_answers_then_leaves_then_ends():
    world = world_with_a_reload()
    (pod,) = world.pods
    assert pod.handover is KEPT
    world.loads = Answered.LOADING
    world.kserve()
    world.notification()
    assert [(pod.handover, pod.terminating) for pod in world.pods] == [(KEPT, False), (None, False)]
    world.pods[1] = replace(world.pods[1], answer=answering())
    world.version += 1
    world.notification()
    assert world.pods[0].handover is LEAVING and world.told() == []
    world.later(1)
    world.notification()
    assert world.told() == ["reloaded"] and len(world.pods) == 2
    world.later(LEAVES_FOR.total_seconds() - 1.1)
    world.notification()
    assert len(world.pods) == 2
    world.later(0.1)
    world.notification()
    assert [pod.digest for pod in world.pods] == [ONE]


def test_it_is_kept_before_the_model_is_changed():
    seen = running(artifacts=(URI,))
    decision = decide(Record(ref=REF, uid="model-1", state=State.RUNNING), seen, reload(ONE), LIMITS)
    assert [type(effect) for effect in decision.effects] == [MarkPod, PatchModel]


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": Mode.KNATIVE},
        {"mode": None},
        {"ref": REF.model_copy(update={"kind": Kind.LLM_INFERENCE_SERVICE})},
        {"recreated": ("predictor",)},
        {"pods": (a_pod(finished=True),)},
        {"pods": (a_pod(answer=answering(Answered.MISSING)),)},
        {"pods": (terminating(a_pod()),)},
        {"pods": (a_pod(owner=None),)},
        {"pods": (a_pod(owner=Owner("StatefulSet", "group", "set-1")),)},
        {"pods": (a_pod(serves=False, answer=None, component="predictor"),)},
        {"pods": (old(),)},
    ],
)
def test_only_a_pod_that_serves_now_and_would_make_room_is_kept(changes):
    assert keep_old_pods(running(**changes)) == ()


def test_one_that_is_not_ready_yet_is_kept_before_it_is():
    """Else Kubernetes would end it in the moment in which it is."""
    seen = running(a_pod(), a_pod("starting", ready=False, answer=None))
    assert [mark.name for mark in keep_old_pods(seen)] == ["scorer-0", "starting"]


@pytest.mark.parametrize("answer", [Answered.UNANSWERED, Answered.LOADING, Answered.UNASKABLE])
def test_one_that_is_too_busy_to_say_whether_it_has_its_model_is_kept(answer):
    assert len(keep_old_pods(running(a_pod(answer=answering(answer))))) == 1


@pytest.mark.parametrize("component", ["transformer", "explainer"])
def test_what_stands_before_the_model_is_kept_like_it(component):
    seen = running(a_pod(component=component, serves=False, answer=None))
    assert keep_old_pods(seen) == (MarkPod(REF, "scorer-0", "uid-scorer-0", KEPT, NOW),)


def test_one_that_only_comes_up_while_the_reload_is_in_progress_is_kept_too():
    world = world_with_a_reload()
    world.pods.append(a_pod("late"))
    world.version += 1
    world.notification()
    assert [pod.handover for pod in world.pods] == [KEPT, KEPT]


def test_a_new_pod_is_never_kept():
    world = world_with_a_reload()
    world.kserve()
    world.notification()
    assert [pod.handover for pod in world.pods] == [LEAVING, None]


def test_so_is_one_of_a_reload_that_somebody_else_began():
    world = ReloadWorld()
    world.settle()
    world.annotations[DIGEST_ANNOTATION] = TWO
    world.version += 1
    world.notification()
    assert [pod.handover for pod in world.pods] == [KEPT]


@pytest.mark.parametrize(
    ("pods", "wanted", "expected"),
    [
        ((old("a"), old("b"), new()), 1, {"a": LEAVING}),
        ((old("a"), old("b", ready=False), new()), 1, {"b": LEAVING}),
        ((old("a"), old("b"), new()), 2, {}),
        ((old("a"), old("b"), new()), 0, {"a": LEAVING, "b": LEAVING}),
        ((old("a"), old("b"), new(what=Answered.MISSING)), 1, {}),
        ((old("a"), old("b"), new(what=Answered.MISSING), new("new-2")), 0, {"a": LEAVING}),
        ((old("a"), new(what=Answered.UNASKABLE)), 0, {"a": LEAVING}),
        ((old("a"), new(ready=False, answer=None)), 0, {"a": LEAVING}),
        ((old("a"), old("b"), terminating(old("c"))), 2, {}),
    ],
)
def test_as_many_leave_as_their_replicaset_wants_no_more_but_none_for_a_pod_without_the_model(pods, wanted, expected):
    assert marked(*pods, wanted=wanted) == expected


def test_a_transformer_does_not_wait_for_the_model():
    beside = old(component="transformer", serves=False)
    assert marked(beside, new(what=Answered.MISSING), wanted=0) == {"old": LEAVING}


def test_where_the_look_did_not_ask_how_many_are_wanted_none_leaves():
    seen = running(old(), new(), annotations={DIGEST_ANNOTATION: ONE})
    assert hand_over(Decision(Record(ref=REF)), seen, None).effects == ()


def test_one_kept_for_a_reload_that_never_came_is_let_go_once_its_step_must_have_ended():
    world = ReloadWorld()
    world.settle()
    world.command(reload(ONE), crash_before=5)
    assert (world.pods[0].handover, DIGEST_ANNOTATION in world.annotations) == (KEPT, False)
    world.later(14)
    world.notification()
    assert world.pods[0].handover is KEPT
    world.later(2)
    world.notification()
    assert world.pods[0].handover is None


def test_a_failed_reload_keeps_it_for_as_long_as_it_takes_and_the_next_good_one_ends_it():
    world = world_with_a_reload(loads=Answered.MISSING)
    world.settle()
    world.later(3600)
    world.notification()
    assert (world.record.state, world.record.reason) == (State.RUNNING, "Degraded")
    assert "1 of 2 pods without the model" in world.record.message
    assert world.told() == ["failed"]
    assert [pod.handover for pod in world.pods] == [KEPT, None]
    world.loads = Answered.LOADED
    world.command(reload(TWO))
    world.settle()
    world.settle()
    assert [pod.digest for pod in world.pods] == [TWO]


def test_beside_a_new_pod_that_is_without_it_the_same_digest_is_loaded_again_once_it_is_told_of_again():
    world = world_with_a_reload(loads=Answered.MISSING)
    world.settle()
    world.later(90)
    world.loads = Answered.LOADED
    world.command(reload(ONE, id="written-again"))
    world.settle()
    world.settle()
    assert ([pod.answer.what for pod in world.pods], world.rolls) == ([Answered.LOADED], 2)


@pytest.mark.parametrize("seconds", [4, 6])
def test_told_of_again_while_the_new_pod_may_still_list_it_nothing_is_loaded_twice(seconds):
    """A server that is just up may list its model a moment later; and a reload that is in progress is judged first."""
    world = world_with_a_reload(loads=Answered.MISSING)
    world.kserve()
    world.later(seconds)
    world.command(reload(ONE, id="written-again"))
    assert (world.rolls, world.annotations[DIGEST_ANNOTATION], world.record.queued_reload) == (1, ONE, None)


def test_a_stop_in_the_middle_ends_them_all():
    world = world_with_a_reload()
    world.kserve()
    world.notification()
    assert world.pods[0].handover is LEAVING
    world.command(stop())
    world.settle()
    assert (world.record.state, world.pods) == (State.STOPPED, [])


def test_under_a_stop_the_kept_are_let_go_and_those_that_left_end_at_once():
    left = replace(old("left"), handover=LEAVING, left_at=NOW, deleting=True)
    world = ReloadWorld()
    world.settle()
    world.command(stop())
    world.pods = [old(), left]
    world.version += 1
    seen = world.look()
    effects = decide(world.record, seen, None, LIMITS).effects
    assert DeletePod(REF, "left", "uid-left") in effects
    assert MarkPod(REF, "old", "uid-old", None, seen.observed_at) in effects


def test_one_that_left_ends_at_once_where_its_model_is_gone_or_it_serves_nobody_or_has_no_time():
    left = replace(old(), handover=LEAVING, left_at=NOW, deleting=True)
    assert list(end_left(running(left))) == []
    assert list(end_left(running(replace(left, ready=False)))) == [DeletePod(REF, "old", "uid-old")]
    assert list(end_left(running(left, exists=False))) == [DeletePod(REF, "old", "uid-old")]
    assert list(end_left(running(replace(left, left_at=None)))) == [DeletePod(REF, "old", "uid-old")]
    assert list(end_left(running(terminating(left), exists=False))) == []


def test_a_model_that_is_gone_takes_none_with_it_that_did_not_leave():
    world = ReloadWorld()
    world.settle()
    left = replace(old("left"), handover=LEAVING, left_at=world.now, deleting=True)
    world.pods, world.exists = [a_pod("somebody-elses"), left], False
    world.notification()
    assert world.deleted == ["left"]


@pytest.mark.parametrize(
    ("pods", "seconds"),
    [
        ((replace(old(), handover=LEAVING, left_at=NOW, deleting=True), new()), 1),
        ((old(), new(what=Answered.MISSING)), 10),
        ((new(),), None),
    ],
)
def test_it_is_looked_at_again_soon_where_one_leaves_and_now_and_then_where_one_is_kept(pods, seconds):
    known = Record(ref=REF, uid="model-1", state=State.RUNNING, digest=ONE)
    seen = running(*pods, annotations={DIGEST_ANNOTATION: ONE}, observed_at=later(1))
    due = decide(known, seen, None, LIMITS).due
    assert due == (seconds and later(1 + seconds))


def test_a_replacement_keeps_nothing():
    world = ReloadWorld()
    world.settle()
    world.command(reload(ONE, strategy=Strategy.REPLACE))
    assert [pod.handover for pod in world.pods] == [None]
