"""A reload that waits: until when, what is said of it, what it then does, and that a crash leaves it whose it was."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import LIMITS, REF, a_pod, later, running, start, stop
from reload_world import ONE, REF_OF_LLM, TWO, ReloadWorld, answering, reload

from events.artifact import Completeness
from events.status import State
from functions.lifecycle.decide import decide
from functions.lifecycle.errors import Code
from functions.lifecycle.observation import DIGEST_ANNOTATION, Answered
from functions.lifecycle.record import QueuedReload, Record, Run, Wanted
from functions.lifecycle.reload_seen import reload_in_progress, value_for


def with_one_loaded():
    """ONE has just been loaded: for a minute, whatever comes waits."""
    world = ReloadWorld()
    world.settle()
    world.command(reload(ONE))
    world.settle()
    world.events.clear()
    world.audit.clear()
    return world


def test_it_is_answered_when_it_will_be_done_and_looked_at_just_then():
    world = with_one_loaded()
    answer = world.command(reload(TWO, by_event=False))
    due = world.record.queued_reload.due
    assert due == world.record.reloads_since + timedelta(seconds=60)
    assert (answer.status, answer.body["changed"]) == (202, True)
    assert answer.body["message"].startswith(f"{TWO} is loaded at {due:%H:%M:%S} UTC")
    world.now = due - timedelta(seconds=1)
    assert decide(world.record, world.look(), None, LIMITS).due == due
    world.now = due
    world.notification()
    assert world.annotations[DIGEST_ANNOTATION] == TWO
    assert world.record.queued_reload is None


def test_while_it_is_in_progress_a_look_is_due_each_second():
    world = with_one_loaded()
    world.later(60)
    world.command(reload(TWO))
    assert decide(world.record, world.look(), None, LIMITS).due == world.now + timedelta(seconds=1)


def test_a_minute_after_the_last_one_it_is_done_at_once():
    world = with_one_loaded()
    world.now = world.record.reloads_since + timedelta(seconds=60)
    world.command(reload(TWO))
    assert (world.annotations[DIGEST_ANNOTATION], world.record.queued_reload) == (TWO, None)


def test_an_older_one_that_comes_again_is_answered_what_waits_in_its_place():
    world = with_one_loaded()
    late = reload("sha256:" + "4" * 64, by_event=False)
    world.command(late, crash_before=2)
    world.command(reload(TWO))
    answer = world.command(late)
    assert (answer.status, answer.body["changed"]) == (200, False)
    assert answer.body["message"] == f"{TWO}, which was reported after it, waits to be loaded."


def test_what_it_drops_is_said_alone_where_nothing_else_is_to_be_said():
    world = ReloadWorld()
    world.settle()
    world.command(reload(TWO, settle=15))
    world.command(reload(ONE))
    assert world.audit[-1].message == f"{TWO}, which waited, is not loaded: this one was reported after it."


def test_when_its_time_has_come_the_history_says_whose_it_is_and_its_seconds_count_from_then():
    world = with_one_loaded()
    world.command(reload(TWO, id="run 8 of 9", correlation_id="corr-8"))
    world.audit.clear()
    world.now = world.record.queued_reload.due
    world.notification()
    (entry,) = [entry for entry in world.audit if entry.action == "reload"]
    assert (entry.changed, entry.actor, entry.time) == (True, "training", world.now)
    assert (entry.source, entry.event_id, entry.correlation_id) == ("/test", "run 8 of 9", "corr-8")
    world.kserve()
    world.later(4)
    world.hand_over()
    (published,) = world.events
    assert (published.event.seconds, published.correlation_id) == (4, "corr-8")


def test_what_somebody_else_had_it_load_meanwhile_is_not_loaded_again():
    world = with_one_loaded()
    world.command(reload(TWO))
    world.annotations[DIGEST_ANNOTATION] = TWO
    world.settle()
    rolls = world.rolls
    world.later(60)
    world.settle()
    assert (world.rolls, world.annotations[DIGEST_ANNOTATION]) == (rolls, TWO)
    assert world.record.queued_reload is None
    assert decide(world.record, world.look(), None, LIMITS).due is None


def test_it_is_loaded_again_where_what_somebody_else_began_came_up_empty():
    world = with_one_loaded()
    world.command(reload(TWO))
    world.loads = Answered.MISSING
    world.annotations[DIGEST_ANNOTATION] = TWO
    world.settle()
    assert (world.record.reason, world.record.queued_reload.wanted.value) == ("ModelMissing", TWO)
    rolls, world.loads = world.rolls, Answered.LOADED
    world.later(60)
    world.settle()
    assert (world.rolls, world.record.state) == (rolls + 1, State.RUNNING)
    assert [pod.digest for pod in world.pods] == [f"{TWO}#2"]


def test_the_same_digest_that_waits_for_an_empty_server_makes_new_pods():
    world = ReloadWorld(loads=Answered.MISSING)
    world.settle()
    world.command(reload(ONE))
    world.settle()
    rolls, world.loads = world.rolls, Answered.LOADED
    world.command(reload(ONE, id="written-again"))
    assert world.record.queued_reload is not None
    world.later(60)
    world.settle()
    assert (world.rolls, world.record.state) == (rolls + 1, State.RUNNING)


@pytest.mark.parametrize(
    ("present", "value"),
    [(None, ONE), (TWO, ONE), (f"{TWO}#4", ONE), (ONE, f"{ONE}#2"), (f"{ONE}#2", f"{ONE}#3"), (f"{ONE}#x", f"{ONE}#2")],
)
def test_each_time_the_same_digest_is_loaded_anew_the_model_says_something_else(present, value):
    assert value_for(ONE, present) == value


def test_one_that_died_after_its_patch_is_told_in_the_name_of_who_asked_for_it():
    world = with_one_loaded()
    world.command(reload(TWO, correlation_id="corr-8"))
    world.now = world.record.queued_reload.due
    world.notification(crash_before=5)
    assert (world.annotations[DIGEST_ANNOTATION], world.record.reload) == (TWO, None)
    world.settle()
    (published,) = world.events
    assert (published.event.actor, published.event.digest, published.correlation_id) == ("training", TWO, "corr-8")
    assert (world.rolls, world.record.queued_reload) == (2, None)


def test_one_that_died_after_its_patch_is_known_by_what_the_model_says_of_it_now():
    wanted = Wanted(uri="pvc://models/scorer", digest=TWO, value=TWO, complete=Completeness.DECLARED)
    waits = QueuedReload(run=Run(since=later(0), actor="training", key="/test reload-2"), wanted=wanted, due=later(5))
    before = Record(ref=REF, uid="model-1", state=State.ERROR, digest=TWO, queued_reload=waits)
    seen = running(annotations={DIGEST_ANNOTATION: f"{TWO}#2"}, observed_at=later(6))
    reload_ = reload_in_progress(seen, before, None, known=True)
    assert reload_.made(a_pod(digest=f"{TWO}#2")) and not reload_.made(a_pod(digest=TWO))
    assert reload_.run.actor == "training"


def test_where_the_model_is_stopped_with_it_already_it_waits_no_longer():
    world = with_one_loaded()
    world.command(reload(TWO))
    world.annotations[DIGEST_ANNOTATION] = TWO
    world.command(stop())
    patches = len(world.patches)
    world.settle()
    assert (world.record.state, world.record.queued_reload) == (State.STOPPED, None)
    assert (len(world.patches), world.annotations[DIGEST_ANNOTATION]) == (patches, TWO)


def test_pods_that_are_to_end_come_first():
    world = with_one_loaded()
    world.pods = [replace(world.pods[0], grace=300)]
    world.command(reload(TWO))
    world.command(stop(), crash_before=6)
    assert world.stop_wanted and world.pinned
    world.notification()
    assert all(pod.deleting for pod in world.pods)
    world.settle()
    assert (world.record.state, world.annotations[DIGEST_ANNOTATION]) == (State.STOPPED, TWO)


def test_of_an_llms_pods_it_replaces_those_that_are_there_by_then():
    world = ReloadWorld()
    pods = (a_pod("old-1"), a_pod("old-2"))
    seen = replace(world.look(), ref=REF_OF_LLM, pods=pods)
    record = decide(None, seen, None, LIMITS).record
    record = decide(record, seen, reload(ONE, ref=REF_OF_LLM, settle=15), LIMITS).record
    router = a_pod("router", serves=False, answer=None)
    there = (router, replace(pods[0], deleting=True), a_pod("moved-1"), a_pod("moved-2"))
    seen = replace(seen, pods=there, observed_at=later(15))
    decision = decide(record, seen, None, LIMITS)
    assert [(effect.ref, effect.name) for effect in decision.effects[1:]] == [(REF_OF_LLM, "moved-1")]
    assert decision.effects[0].ref == REF_OF_LLM
    made = a_pod("new-1", answer=answering(), ready_since=later(16))
    seen = replace(seen, annotations={DIGEST_ANNOTATION: ONE}, pods=(router, made, there[-1]), observed_at=later(20))
    decision = decide(decision.record, seen, None, LIMITS)
    assert [(effect.ref, effect.name) for effect in decision.effects] == [(REF_OF_LLM, "moved-2")]
    assert decision.events == ()


@pytest.mark.parametrize("moment", range(2, 6))
def test_one_of_a_stopped_model_counts_as_one_change_wherever_it_died(moment):
    world = ReloadWorld()
    world.settle()
    world.command(stop())
    world.settle()
    world.command(reload(ONE), crash_before=moment)
    world.command(reload(ONE))
    (entry,) = [entry for entry in world.audit if entry.action == "reload"]
    assert (entry.changed, entry.message) == (True, f"It is stopped; it starts with {ONE}.")


def test_one_that_comes_again_after_its_patch_says_nothing_of_a_start_and_drops_what_waited():
    world = ReloadWorld()
    world.settle()
    world.command(reload(TWO, settle=15))
    world.command(reload(ONE), crash_before=6)
    assert world.annotations[DIGEST_ANNOTATION] == ONE
    world.command(reload(ONE))
    entry = world.audit[-1]
    assert (entry.action, entry.changed) == ("reload", True)
    assert entry.message == f"{TWO}, which waited, is not loaded: this one was reported after it."
    assert world.record.queued_reload is None


def test_a_replacement_that_comes_again_ends_the_pods_at_once():
    world = ReloadWorld()
    world.settle()
    world.pods = [replace(world.pods[0], grace=300)]
    request = reload(ONE, strategy="replace")
    world.command(request, crash_before=6)
    assert world.stop_wanted and world.pinned and not any(pod.deleting for pod in world.pods)
    assert world.command(request).changed
    assert all(pod.deleting for pod in world.pods) and not world.pinned
    entry = world.audit[-1]
    assert (entry.action, entry.actor, entry.changed) == ("reload", "training", True)


@pytest.mark.parametrize("stopped", [True, False])
def test_a_stop_or_a_start_that_is_planned_keeps_its_place_before_older_ones_though_a_reload_was_planned_since(stopped):
    world = ReloadWorld()
    world.settle()
    if stopped:
        world.command(stop(id="first"))
        world.settle()
    older, newer = (stop, start) if stopped else (start, stop)
    late = older(id="older", by_event=True)
    world.command(late, crash_before=2)
    world.command(newer(id="newer", by_event=True), crash_before=4)
    world.command(reload(ONE), crash_before=6)
    world.command(late)
    assert (world.audit[-1].event_id, world.audit[-1].code) == ("older", Code.SUPERSEDED)
