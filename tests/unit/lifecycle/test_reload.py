"""A reload: once per digest, few restarts for many writes, verified before it is told, and never a start."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import LIMITS, REF, a_pod, start, stop
from reload_world import ONE, THREE, TWO, URI, ReloadWorld, answering, reload

from events.artifact import Strategy
from events.status import HoldKind, State
from functions.lifecycle.decide import decide
from functions.lifecycle.errors import Code, Refused
from functions.lifecycle.observation import DIGEST_ANNOTATION, Answered
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote


def running() -> ReloadWorld:
    world = ReloadWorld()
    world.settle()
    world.events.clear()
    return world


def test_it_restarts_once_and_is_told_when_the_new_pod_answers():
    world = running()
    assert world.command(reload(ONE)).changed
    assert world.record.reason == "Reloading"
    assert world.told() == []
    world.settle()
    assert (world.rolls, world.told()) == (1, ["reloaded"])
    assert world.events[0].event.digest == ONE and world.events[0].event.seconds >= 0
    assert (world.record.state, world.record.reason) == (State.RUNNING, None)
    assert world.record.loaded.digest == ONE


def test_the_history_has_its_steps_once_and_when_the_new_pod_was_made():
    world = running()
    world.command(reload(ONE, correlation_id="run-7"))
    world.settle()
    steps = [entry for entry in world.audit if entry.action.startswith("reload")]
    assert [entry.action for entry in steps] == ["reload", "reload-pods", "reloaded"]
    assert {entry.correlation_id for entry in steps} == {"run-7"}
    assert steps[0].time <= steps[1].time <= steps[2].time
    assert steps[1].message == f"1 pod to load {ONE}."


@pytest.mark.parametrize(("made", "told"), [(-5, 0), (4, 4), (99, 10), (None, 10)])
def test_new_pods_are_told_with_the_time_when_they_were_made_within_the_reload(made, told):
    """Kubernetes says it in whole seconds, and its clock may be another one than ours."""
    world = running()
    world.command(reload(ONE))
    begun = world.now
    seen = replace(world.look(), observed_at=begun + timedelta(seconds=10))
    pod = a_pod(
        "new", digest=world.record.reload.wanted.value, created=made and begun + timedelta(seconds=made), serves=True
    )
    decision = decide(world.record, replace(seen, pods=(pod,)), None, LIMITS)
    [entry] = [entry for entry in decision.audit if entry.action == "reload-pods"]
    assert entry.time == begun + timedelta(seconds=told)


def test_new_pods_are_told_once_however_long_they_take():
    world = running()
    world.command(reload(ONE))
    pod = a_pod("new", digest=world.record.reload.wanted.value, ready=False, serves=True)
    seen = replace(world.look(), pods=(pod, *world.pods))
    first = decide(world.record, seen, None, LIMITS)
    assert [entry.action for entry in first.audit] == ["reload-pods"]
    assert [entry.action for entry in decide(first.record, seen, None, LIMITS).audit] == []


@pytest.mark.parametrize("deliveries", [2, 5])
def test_the_same_digest_again_changes_nothing(deliveries):
    world = running()
    for number in range(deliveries):
        world.command(reload(ONE, id=f"delivery-{number}"))
        world.settle()
    assert (world.rolls, world.told()) == (1, ["reloaded"])


def test_digests_that_come_within_a_minute_end_in_one_more_reload_with_the_last():
    world = running()
    world.command(reload(ONE))
    world.settle()
    world.command(reload(TWO))
    world.later(10)
    world.command(reload(THREE))
    world.settle()
    assert world.rolls == 1
    world.later(60)
    world.settle()
    assert world.rolls == 2
    assert world.annotations[DIGEST_ANNOTATION] == THREE
    assert [published.event.digest for published in world.events] == [ONE, THREE]


def test_the_digest_it_has_told_again_drops_the_one_that_waits():
    world = running()
    world.command(reload(ONE))
    world.settle()
    world.command(reload(TWO))
    world.later(10)
    world.command(reload(ONE, id="rolled-back"))
    assert world.record.queued_reload is None
    assert (world.audit[-1].action, world.audit[-1].changed) == ("reload", True)
    assert f"{TWO}, which waited, is not loaded" in world.audit[-1].message
    world.later(120)
    world.settle()
    assert (world.rolls, world.annotations[DIGEST_ANNOTATION]) == (1, ONE)


def test_the_digest_in_progress_sent_again_drops_the_one_that_waits():
    world = running()
    world.command(reload(ONE))
    world.command(reload(TWO))
    world.command(reload(ONE, id="rolled-back"))
    assert (world.record.reload.wanted.digest, world.record.queued_reload) == (ONE, None)
    assert f"It is loading {ONE} already. {TWO}, which waited" in world.audit[-1].message
    world.settle()
    world.later(120)
    world.settle()
    assert (world.rolls, world.annotations[DIGEST_ANNOTATION]) == (1, ONE)


def test_the_digest_it_had_told_again_while_another_is_in_progress_is_loaded_last():
    world = running()
    world.command(reload(ONE))
    world.settle()
    world.later(60)
    world.command(reload(TWO))
    world.command(reload(ONE, id="rolled-back"))
    assert (world.record.reload.wanted.digest, world.record.queued_reload.wanted.digest) == (TWO, ONE)
    world.settle()
    world.later(120)
    world.settle()
    assert (world.rolls, world.annotations[DIGEST_ANNOTATION]) == (3, ONE)
    assert [published.event.digest for published in world.events] == [ONE, TWO, ONE]


def test_what_is_done_at_once_drops_what_waits_for_more_parts():
    world = running()
    world.command(reload(TWO, settle=15))
    world.command(reload(ONE))
    world.settle()
    world.later(120)
    world.settle()
    assert (world.rolls, world.annotations[DIGEST_ANNOTATION], world.record.queued_reload) == (1, ONE, None)


@pytest.mark.parametrize("first", [ONE, THREE])
def test_an_older_reload_that_comes_again_is_not_the_last(first):
    world = running()
    world.command(reload(ONE))
    world.settle()
    late = reload(first, id="late")
    world.command(late, crash_before=2)
    world.command(reload(TWO))
    world.command(late)
    assert world.record.queued_reload.wanted.digest == TWO
    world.later(120)
    world.settle()
    assert (world.rolls, world.annotations[DIGEST_ANNOTATION]) == (2, TWO)


def test_parts_of_an_artifact_are_waited_for():
    world = running()
    world.command(reload(ONE, settle=15))
    world.later(10)
    world.command(reload(TWO, settle=15))
    world.settle()
    assert world.rolls == 0
    world.later(15)
    world.settle()
    assert (world.rolls, world.annotations[DIGEST_ANNOTATION]) == (1, TWO)


def test_a_stopped_model_is_not_started_and_starts_with_the_new_artifact():
    world = running()
    world.command(stop())
    world.settle()
    assert world.command(reload(ONE)).changed
    assert (world.record.state, world.record.reload) == (State.STOPPED, None)
    world.settle()
    assert (world.record.state, world.pods) == (State.STOPPED, [])
    world.command(start())
    world.settle()
    assert [pod.digest for pod in world.pods] == [ONE]
    assert world.record.state is State.RUNNING
    assert world.command(reload(ONE, id="again")).changed is False


def test_one_of_a_stopped_model_that_died_after_its_patch_is_audited_as_what_changed_it():
    world = running()
    world.command(stop())
    world.settle()
    world.command(reload(ONE), crash_before=5)
    assert world.annotations[DIGEST_ANNOTATION] == ONE
    world.command(reload(ONE))
    (entry,) = [entry for entry in world.audit if entry.action == "reload"]
    assert (entry.changed, ONE in entry.message) == (True, True)
    assert world.record.state is State.STOPPED
    world.command(start())
    world.settle()
    assert (world.record.state, world.record.reload) == (State.RUNNING, None)


def test_replacing_it_leaves_no_pod_before_the_new_one():
    world = running()
    world.command(reload(ONE, strategy=Strategy.REPLACE))
    assert world.stop_wanted
    assert StopNote.parse(world.annotations[STOP_NOTE_ANNOTATION]).holds[0].kind is HoldKind.ROTATION
    while world.stop_wanted:
        assert all(pod.digest is None for pod in world.pods)
        world.settle()
    world.settle()
    assert [pod.digest for pod in world.pods] == [ONE]
    assert world.told()[-1] == "reloaded"
    assert world.record.state is State.RUNNING
    assert STOP_NOTE_ANNOTATION not in world.annotations


def test_a_stop_in_the_middle_of_a_replacement_wins():
    world = running()
    world.command(reload(ONE, strategy=Strategy.REPLACE))
    world.command(stop(id="mine"))
    world.settle()
    assert (world.record.state, world.record.holds[0].kind) == (State.STOPPED, HoldKind.USER)
    assert world.record.holds[0].actor == "oncall"


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("moment", range(2, 8))
def test_a_crash_before_any_step_neither_loses_nor_doubles_it(strategy, moment):
    world = running()
    command = reload(ONE, strategy=strategy)
    world.command(command, crash_before=moment)
    world.settle()
    world.command(command)
    world.settle()
    world.settle()
    assert [pod.digest for pod in world.pods] == [ONE]
    assert world.told().count("reloaded") == 1
    assert (world.record.state, world.record.reload) == (State.RUNNING, None)
    reloaded = next(published.event for published in world.events if published.event.type.endswith("reloaded.v1"))
    assert reloaded.actor == "training"


def test_an_older_stop_that_comes_again_is_not_lost_to_a_reload():
    world, request = running(), stop()
    world.command(request, crash_before=2)
    world.command(reload(ONE))
    world.settle()
    world.command(request)
    world.settle()
    assert world.record.state is State.STOPPED


def test_a_server_that_crashes_with_it_leaves_the_old_pod_and_says_why():
    world = running()
    world.crashes = True
    world.command(reload(ONE))
    world.kserve()
    world.notification()
    assert world.told() == ["failed"]
    failed = world.events[0].event
    assert (failed.code, failed.during) == ("ModelLoadFailed", "reload")
    assert "exit code 1" in failed.message and "publish artifact" in failed.next_action
    assert world.record.state is State.RUNNING
    assert sum(pod.ready for pod in world.pods) == 1


def test_a_server_that_comes_up_without_it_is_an_error_with_the_way_back():
    world = running()
    world.loads, world.policy = Answered.MISSING, False
    world.command(reload(ONE))
    world.settle()
    assert (world.record.state, world.record.reason) == (State.ERROR, "ModelMissing")
    assert URI in world.record.message and "publish artifact" in world.record.message
    assert "failed" in world.told() and "reloaded" not in world.told()


def test_a_model_in_error_for_its_artifact_is_starting_until_the_new_pod_answers():
    world = running()
    empty = replace(world.pods[0], answer=answering(Answered.MISSING))
    world.pods = [empty]
    world.later(30)
    world.notification()
    assert world.record.reason == "ModelMissing"
    world.events.clear()
    world.command(reload(ONE))
    world.pods = [empty, a_pod("new", ready=False, answer=None, digest=ONE)]
    world.version += 1
    world.notification()
    assert (world.record.state, world.told()) == (State.STARTING, [])
    world.pods = [empty]
    world.settle()
    assert (world.record.state, world.told()) == (State.RUNNING, ["started", "reloaded"])


def test_the_same_digest_is_loaded_again_where_the_server_was_up_before_the_artifact():
    world = running()
    world.loads = Answered.MISSING
    world.command(reload(ONE))
    world.settle()
    world.loads = Answered.LOADED
    world.later(60)
    world.command(reload(ONE, id="written-again"))
    world.settle()
    assert world.record.state is State.RUNNING
    assert world.rolls == 2


def test_a_model_that_lost_its_artifact_is_noticed_at_the_next_look():
    world = running()
    world.pods = [replace(world.pods[0], answer=answering(Answered.MISSING))]
    world.later(30)
    world.notification()
    assert (world.record.state, world.record.reason) == (State.ERROR, "ModelMissing")


def test_somebody_elses_digest_is_followed_too():
    world = running()
    world.annotations[DIGEST_ANNOTATION] = TWO
    world.settle()
    assert world.told() == ["reloaded"]
    assert world.events[0].event.actor.startswith("external:")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (reload(uri="pvc://models/other"), "does not load pvc://models/other; it loads pvc://models/scorer"),
        (reload(uri="s3://models/scorer", namespace=None), "does not load s3://models/scorer"),
        (reload(namespace="elsewhere"), "is in namespace elsewhere"),
    ],
)
def test_what_is_not_its_artifact_is_refused_with_the_reason(request_, words):
    world = running()
    assert world.command(request_).status == 202
    assert world.rolls == 0
    assert world.events[0].event.code == Code.NOT_ITS_ARTIFACT
    assert words in world.events[0].event.message
    assert world.audit[-1].code == Code.NOT_ITS_ARTIFACT


def test_over_rest_the_refusal_is_told():
    refused = running().command(reload(uri="pvc://models/other", by_event=False))
    assert isinstance(refused, Refused)
    assert refused.code is Code.NOT_ITS_ARTIFACT


@pytest.mark.parametrize("uri", ["pvc://models", "pvc://models/scorer/model.pkl"])
def test_a_folder_above_and_a_file_inside_concern_it(uri):
    world = running()
    world.command(reload(ONE, uri=uri))
    world.settle()
    assert world.rolls == 1


class BucketWorld(ReloadWorld):
    """Its bucket is in a Secret: only its pods show it."""

    def look(self):
        seen = super().look()
        shown = bool(seen.pods)
        return replace(seen, artifacts=("s3://ml/scorer",) if shown else (), bucketless=() if shown else ("scorer",))


def test_a_bucket_that_its_pods_showed_is_remembered_while_it_has_none():
    world = BucketWorld()
    world.settle()
    world.command(stop())
    world.settle()
    assert (world.pods, world.record.artifacts) == ([], ("s3://ml/scorer",))
    assert world.command(reload(ONE, uri="s3://ml/scorer", namespace=None)).changed
    assert world.annotations[DIGEST_ANNOTATION] == ONE
    refused = world.command(reload(TWO, uri="s3://other/scorer", namespace=None, by_event=False))
    assert refused.code is Code.NOT_ITS_ARTIFACT


def test_its_subject_is_the_models():
    world = running()
    world.command(reload(ONE))
    world.settle()
    assert world.events[0].ref == REF


def test_a_reload_that_waits_when_the_model_is_stopped_waits_for_its_start_and_rolls_nothing():
    world = running()
    world.command(reload(ONE))
    world.settle()
    world.command(reload(TWO))
    world.command(stop())
    world.settle()
    assert (world.record.state, world.record.queued_reload) == (State.STOPPED, None)
    assert world.annotations[DIGEST_ANNOTATION] == TWO
    rolls = world.rolls
    world.command(start())
    world.settle()
    world.later(120)
    world.settle()
    assert [pod.digest for pod in world.pods] == [TWO]
    assert world.rolls <= rolls + 1


def test_a_look_between_the_pin_and_the_patch_of_a_replacement_leaves_the_pin():
    world = running()
    world.pods = [replace(world.pods[0], grace=300)]
    world.command(reload(ONE, strategy=Strategy.REPLACE), crash_before=5)
    assert world.pinned and not world.stop_wanted
    world.notification()
    assert world.pinned
