"""What a reload leaves behind for people: events, history and answers that name who asked, why, and what to do next."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import LIMITS, a_pod, start, stop
from reload_world import ONE, TWO, URI, ReloadWorld, reload

from events.artifact import Strategy
from events.status import State
from functions.lifecycle.decide import decide
from functions.lifecycle.observation import DIGEST_ANNOTATION, Answered, Trouble
from functions.lifecycle.reasons import advice


def running_world():
    world = ReloadWorld()
    world.settle()
    world.events.clear()
    world.audit.clear()
    return world


def because(reason, digest=ONE, **changes):
    request = reload(digest, **changes)
    return replace(request, command=request.command.model_copy(update={"reason": reason}))


def test_the_fact_says_why_and_how_long_it_took_to_the_millisecond():
    world = running_world()
    world.command(because("retrained"))
    world.kserve()
    world.later(1.23456)
    world.hand_over()
    (published,) = world.events
    assert (published.event.reason, published.event.seconds, published.time) == ("retrained", 1.235, world.now)
    assert (world.record.loaded.seconds, world.record.loaded.at) == (1.235, world.now)
    assert world.record.status().artifact.digest == ONE


def test_it_is_no_longer_reloading_in_the_very_look_that_tells_so():
    world = running_world()
    world.command(reload(ONE))
    world.kserve()
    world.hand_over()
    assert (world.told(), world.record.reason, world.record.message) == (["reloaded"], None, None)


def test_what_is_degraded_beside_it_stays_so():
    world = running_world()
    world.command(reload(ONE))
    world.kserve()
    trouble = Trouble("ImagePullBackOff", "the image cannot be pulled")
    world.pods = [*world.pods, a_pod("transformer", serves=False, ready=False, answer=None, trouble=trouble)]
    world.hand_over()
    assert (world.told(), world.record.reason) == (["reloaded"], "Degraded")
    assert "the image cannot be pulled" in world.record.message


@pytest.mark.parametrize("strategy", list(Strategy))
def test_each_line_of_its_history_names_the_command_and_who_sent_it(strategy):
    """An id may hold a space; a source may not."""
    world = running_world()
    world.command(because("retrained", id="run 7 of 9", correlation_id="corr-7", strategy=strategy))
    world.settle()
    world.settle()
    steps = [entry for entry in world.audit if entry.action.startswith("reload")]
    assert [entry.action for entry in steps] == ["reload", "reload-pods", "reloaded"]
    assert {(entry.source, entry.event_id) for entry in steps} == {("/test", "run 7 of 9")}
    assert {(entry.actor, entry.correlation_id) for entry in steps} == {("training", "corr-7")}
    assert f"{ONE} answers after" in steps[-1].message
    assert {published.correlation_id for published in world.events} == {"corr-7"}


def test_a_failure_says_what_was_not_loaded_why_and_is_a_line_of_its_own():
    world = running_world()
    world.crashes = True
    world.command(because("retrained", correlation_id="corr-7"))
    world.kserve()
    world.notification()
    (published,) = world.events
    assert published.event.reason == "retrained"
    assert published.event.message.startswith(f"{URI} ({ONE}) was not loaded: pod-")
    entry = world.audit[-1]
    assert (entry.action, entry.actor, entry.event_id) == ("reload-failed", "training", "reload-1")
    assert (entry.message, entry.correlation_id) == (published.event.message, "corr-7")


def test_pods_that_crash_for_a_reason_of_their_own_fail_under_that_code():
    world = running_world()
    world.command(reload(ONE))
    crashing = a_pod("new", ready=False, answer=None, digest=ONE, crashed="it ended with exit code 137.")
    world.pods = [*world.pods, replace(crashing, trouble=Trouble("OOMKilled", "out of memory"))]
    world.version += 1
    world.notification()
    assert world.events[0].event.code == "OOMKilled"


def test_an_empty_new_pod_beside_an_old_one_that_serves_fails_after_its_moment_with_the_advice_for_that():
    world = running_world()
    (old,) = world.pods
    world.loads = Answered.MISSING
    world.command(reload(ONE))
    world.kserve()
    world.pods = [old, *world.pods]
    world.later(4)
    world.notification()
    assert world.told() == []
    world.later(1)
    world.notification()
    (published,) = world.events
    assert (published.event.code, published.event.next_action) == ("ModelMissing", advice("ModelMissing"))
    assert world.record.state is State.RUNNING


def test_one_that_does_not_come_up_has_failed_after_the_start_deadline():
    world = running_world()
    world.command(reload(ONE))
    world.pods = [*world.pods, a_pod("new", ready=False, answer=None, digest=ONE)]
    world.version += 1
    world.now += LIMITS.start_deadline
    world.notification()
    assert world.told() == []
    world.later(1)
    world.notification()
    (published,) = world.events
    assert (published.event.code, published.event.during) == ("StartDeadlineExceeded", "reload")
    assert "not loaded after 901s" in published.event.message
    assert "publish artifact.written" in published.event.next_action
    assert world.record.state is State.RUNNING


def test_a_new_pod_that_cannot_run_fails_with_what_the_state_says():
    world = running_world()
    world.command(reload(ONE))
    trouble = Trouble("ImagePullBackOff", "the image cannot be pulled")
    world.pods = [a_pod("new", ready=False, answer=None, digest=ONE, trouble=trouble)]
    world.version += 1
    world.notification()
    failed = next(told.event for told in world.events if told.event.during == "reload")
    assert failed.code == "ImagePullBackOff"
    assert "new: the image cannot be pulled" in failed.message


def test_after_the_deadline_it_is_said_what_held_the_new_pod_up():
    world = running_world()
    world.command(reload(ONE))
    trouble = Trouble("FailedAttachVolume", "Multi-Attach error for volume pvc-1")
    old = [pod for pod in world.pods if pod.digest != ONE]
    world.pods = [*(old or [a_pod("old")]), a_pod("new", ready=False, answer=None, digest=ONE, trouble=trouble)]
    world.version += 1
    world.now += LIMITS.start_deadline + timedelta(seconds=1)
    world.notification()
    failed = next(told.event for told in world.events if told.event.during == "reload")
    assert failed.code == "FailedAttachVolume"
    assert "new: Multi-Attach error for volume pvc-1" in failed.message
    assert failed.next_action == advice("FailedAttachVolume")


def test_over_rest_it_answers_that_it_is_accepted():
    world = running_world()
    answer = world.command(reload(ONE, by_event=False))
    assert (answer.status, answer.body["changed"]) == (202, True)
    status = answer.body["status"]
    assert (status["state"], status["reason"]) == ("running", "Reloading")
    assert status["message"] == f"The reload of {URI} is accepted."


def test_of_a_model_in_error_it_answers_that_it_is_starting_from_now_on():
    world = running_world()
    world.loads, world.policy = Answered.MISSING, False
    world.command(reload(ONE))
    world.settle()
    assert world.record.state is State.ERROR
    world.later(90)
    status = world.command(reload(TWO, by_event=False)).body["status"]
    assert (status["state"], status["reason"]) == ("starting", "Reloading")
    assert world.record.since == world.now


def test_what_it_has_loaded_already_is_answered_so():
    world = running_world()
    world.command(reload(ONE))
    world.settle()
    answer = world.command(reload(ONE, id="again", by_event=False))
    assert (answer.status, answer.body["changed"]) == (200, False)
    assert answer.body["message"] == f"It was told to load {ONE} already."


def test_one_that_is_stopped_answers_what_it_starts_with_once_and_again():
    world = running_world()
    world.command(stop())
    world.settle()
    first = world.command(reload(ONE, by_event=False))
    again = world.command(reload(ONE, id="again", by_event=False))
    assert (first.status, again.status) == (202, 200)
    assert first.body["message"] == again.body["message"] == f"It is stopped; it starts with {ONE}."
    assert decide(world.record, world.look(), reload(ONE, id="third"), LIMITS).intent is None, "nothing is planned"


def test_a_start_from_outside_with_what_came_while_it_was_stopped_is_no_reload():
    world = running_world()
    world.command(stop())
    world.settle()
    world.events.clear()
    world.command(reload(ONE))
    world.toggle_outside()
    world.settle()
    assert (world.told(), world.record.reload) == (["starting", "started"], None)
    assert [pod.digest for pod in world.pods] == [ONE]


@pytest.mark.parametrize(("why", "told"), [("retrained", "retrained"), (None, f"to load {ONE}")])
def test_a_replacement_stops_and_starts_in_the_name_of_who_asked_for_it(why, told):
    world = running_world()
    world.command(because(why, id="run 7", strategy=Strategy.REPLACE, correlation_id="corr-7"))
    (hold,) = world.record.holds
    assert (hold.actor, hold.reason, hold.since) == ("training", told, world.now)
    world.settle()
    world.settle()
    assert world.told() == ["stopping", "stopped", "starting", "started", "reloaded"]
    assert {(published.event.actor, published.correlation_id) for published in world.events} == {("training", "corr-7")}
    assert {published.event.reason for published in world.events[:4]} == {told}
    begun = next(entry for entry in world.audit if entry.action == "start")
    assert (begun.source, begun.event_id, begun.correlation_id) == ("/test", "run 7", "corr-7")


def test_somebody_elses_digest_is_told_with_all_that_it_loads_from_and_how_long_it_took():
    world = running_world()
    world.annotations[DIGEST_ANNOTATION] = TWO
    seen = replace(world.look(), artifacts=("pvc://models/scorer", "s3://ml/rules"))
    begun = decide(world.record, seen, None, LIMITS).record
    new = a_pod("new", digest=TWO)
    after = decide(begun, replace(seen, pods=(new,), observed_at=world.now + timedelta(seconds=7)), None, LIMITS)
    (published,) = after.events
    assert (published.event.uri, published.event.seconds) == ("pvc://models/scorer, s3://ml/rules", 7)


def test_somebody_elses_way_back_before_anybody_looked_is_followed():
    world = running_world()
    world.command(reload(ONE))
    world.settle()
    world.later(60)
    world.command(reload(TWO))
    world.annotations[DIGEST_ANNOTATION] = ONE
    world.settle()
    assert world.record.reload is None
    assert (world.events[-1].event.digest, world.events[-1].event.actor) == (ONE, "external:unknown")


def test_a_model_first_seen_with_a_digest_is_not_being_reloaded():
    world = ReloadWorld(annotations={DIGEST_ANNOTATION: ONE}, pods=[a_pod(digest=ONE)])
    world.notification()
    assert (world.record.reload, world.told(), world.record.reason) == (None, [], None)


def test_a_digest_that_somebody_took_away_is_no_reload():
    world = running_world()
    world.command(reload(ONE))
    world.settle()
    del world.annotations[DIGEST_ANNOTATION]
    world.version += 1
    world.notification()
    assert (world.told(), world.record.reload, world.record.state) == (["reloaded"], None, State.RUNNING)


def test_what_a_start_brings_is_not_told_as_a_reload():
    world = running_world()
    world.command(stop())
    world.settle()
    world.command(reload(ONE))
    world.events.clear()
    world.command(start())
    world.settle()
    assert world.told() == ["starting", "started"]
