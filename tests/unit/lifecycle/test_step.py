"""The step itself, driven over a model of the world: crashes at every point, duplicates, orders, lost stores."""

import os
from datetime import timedelta

import pytest
from asks import take_notification
from builders import LIMITS, NOW, REF, a_pod, start, stop
from hypothesis import example, given, settings
from hypothesis import strategies as st
from world import World

from events.facts import ModelFailed, ModelStarted, ModelStopped
from events.status import State
from functions.lifecycle.errors import Code, StoreUnavailable

LAST_ASK = 12
WHOLE = os.environ.get("FAULTS") == "whole"
"""As many examples as planted bugs need to be seen: `make faults-planted`."""


def counted(world, kind):
    return sum(isinstance(published.event, kind) for published in world.events)


@pytest.mark.parametrize("crash_before", range(1, LAST_ASK))
@pytest.mark.parametrize("forced", [False, True])
def test_a_crash_before_any_io_loses_neither_the_stop_nor_receipt_nor_actor(crash_before, forced):
    world, request = World(), stop(graceful=not forced, by_event=True)
    world.command(request, crash_before)
    world.kserve()
    world.command(request)
    world.settle()
    assert world.record.state is State.STOPPED
    assert world.patches == ["stop"]
    assert world.pods == []
    assert not world.pinned
    receipt = world.record.receipt
    assert (receipt.actor, receipt.pods, receipt.gpus) == ("oncall", 1, 1)
    assert counted(world, ModelStopped) == 1
    assert len({published.id for published in world.events}) == len(world.events)


@pytest.mark.parametrize("crash_before", range(1, LAST_ASK))
def test_a_crash_before_any_io_loses_neither_the_start_nor_its_actor(crash_before):
    world = World()
    world.command(stop())
    world.settle()
    world.command(start(by_event=True), crash_before)
    world.notification()
    world.command(start(by_event=True))
    world.settle()
    assert world.record.state is State.RUNNING
    assert world.annotations == {}
    assert world.patches == ["stop", "start"]
    started = [published.event for published in world.events if isinstance(published.event, ModelStarted)]
    assert [event.actor for event in started] == ["pipeline"]


@pytest.mark.parametrize("crash_before", range(1, LAST_ASK))
def test_a_forced_stop_that_nobody_delivers_again_leaves_nothing_pinned(crash_before):
    world = World()
    world.command(stop(graceful=False), crash_before)
    world.now += timedelta(seconds=15)
    world.settle()
    assert not world.pinned
    assert (world.record.state is State.STOPPED) == (world.patches == ["stop"])


def test_a_duplicate_gets_the_first_answer_and_changes_nothing():
    world = World()
    first = world.command(stop())
    world.settle()
    world.command(start())
    world.settle()
    assert world.command(stop()) == first
    assert world.record.state is State.RUNNING
    assert world.patches == ["stop", "start"]


def test_a_stop_that_failed_and_is_delivered_again_does_not_undo_the_start_that_came_after():
    world = World()
    world.command(stop(by_event=True), crash_before=2)
    world.command(start(id="later"))
    answer = world.command(stop(by_event=True))
    assert answer.status == 202
    assert world.patches == []
    assert not world.stop_wanted
    assert Code.SUPERSEDED in [entry.code for entry in world.audit]


def test_a_start_that_died_after_its_patch_is_not_undone_by_an_older_stop_delivered_again():
    """Found by the exhaustive search: no record was ever committed, only the plan knows of the start."""
    world = World()
    world.command(stop(by_event=True), crash_before=5)
    world.kserve()
    world.pods = []
    world.command(start(by_event=True), crash_before=5)
    world.command(stop(by_event=True))
    assert world.patches == ["stop", "start"]
    assert not world.stop_wanted


def test_a_dropped_command_leaves_the_plan_of_a_later_one():
    """Found by the exhaustive search: two older stops come again between a start's PATCH and its redelivery."""
    world = World()
    world.command(stop(by_event=True), crash_before=5)
    world.command(stop(id="forced", graceful=False, by_event=True), crash_before=2)
    world.kserve()
    world.pods = []
    world.command(start(by_event=True), crash_before=5)
    world.command(stop(by_event=True))
    world.command(stop(id="forced", graceful=False, by_event=True))
    assert world.patches == ["stop", "start"]


@pytest.mark.parametrize("crash_before", range(1, LAST_ASK))
def test_a_queued_start_that_died_anywhere_keeps_its_place_and_its_actor(crash_before):
    """Found by the exhaustive search: the PATCH takes the queue off the model, and with it all that was known of it."""
    world = World()
    world.command(stop(by_event=True), crash_before=5)
    world.command(start(by_event=True, queue=True), crash_before=4)
    world.kserve()
    world.pods = []
    world.notification(crash_before)
    world.command(stop(by_event=True))
    world.settle()
    assert world.record.state is State.RUNNING
    assert world.patches == ["stop", "stop", "start"]
    started = [published.event for published in world.events if isinstance(published.event, ModelStarted)]
    assert [event.actor for event in started] == ["pipeline"]


def test_a_plan_of_a_later_command_supersedes_although_it_was_not_carried_out_yet():
    """Found by the exhaustive search: it will come again, and nothing older may come in between."""
    world = World()
    world.command(stop(by_event=True), crash_before=5)
    world.kserve()
    world.pods = []
    world.command(start(by_event=True), crash_before=5)
    world.command(stop(id="later", by_event=True), crash_before=4)
    world.command(stop(by_event=True))
    assert world.patches == ["stop", "start"]


def test_a_command_by_event_that_can_t_be_had_is_answered_audited_and_published():
    world = World()
    expired = stop(by_event=True, expires_at=NOW - timedelta(seconds=1))
    assert world.command(expired).status == 202
    assert world.audit[-1].code == Code.EXPIRED
    assert isinstance(world.events[-1].event, ModelFailed)
    assert world.patches == []
    assert world.command(expired).status == 202
    assert counted(world, ModelFailed) == 1


def test_a_start_by_event_while_stopping_is_kept_and_done_when_the_last_pod_is_gone():
    world = World()
    world.command(stop())
    world.kserve()
    assert world.command(start(by_event=True, queue=True)).status == 202
    assert world.record.queued
    world.settle()
    world.settle()
    assert world.record.state is State.RUNNING
    assert world.annotations == {}


def test_a_refusal_over_rest_is_told_and_the_same_key_may_try_again():
    world = World()
    world.command(stop())
    world.kserve()
    refused = world.command(start())
    assert refused.code is Code.STOP_IN_PROGRESS
    world.settle()
    assert world.command(start()).status == 202


def test_redis_away_still_stops_over_rest_and_says_that_nothing_was_recorded():
    world = World(redis=False)
    answer = world.command(stop())
    assert answer.status == 202
    assert answer.body["recorded"] is False
    assert world.stop_wanted
    world.redis = True
    world.settle()
    assert world.record.state is State.STOPPED
    assert world.record.receipt.actor == "oncall"


@pytest.mark.parametrize("request_", [start(), stop(by_event=True), start(by_event=True)])
def test_redis_away_everything_else_waits_and_nothing_is_half_done(request_):
    world = World(redis=False)
    assert isinstance(world.command(request_), StoreUnavailable)
    assert world.patches == []


def test_a_tick_between_pin_and_patch_does_not_take_the_pin_away():
    world = World()
    world.command(stop(graceful=False), crash_before=5)
    assert world.pinned
    assert not world.stop_wanted
    world.notification()
    assert world.pinned
    world.now += timedelta(seconds=15)
    world.notification()
    assert not world.pinned


def test_a_model_deleted_while_it_was_pinned_leaves_no_pin():
    world = World()
    world.notification()
    world.command(stop(graceful=False), crash_before=6)
    assert world.pinned
    world.exists = False
    world.notification()
    assert not world.pinned


def test_a_stop_by_event_is_not_lost_to_a_start_over_rest_that_was_given_up():
    """Both met an outage; the person gave up, the broker did not."""
    world = World()
    world.command(stop(id="by-broker", by_event=True), crash_before=2)
    world.now += timedelta(seconds=1)
    world.command(stop(id="by-person", graceful=False), crash_before=4)
    assert world.patches == []
    world.now += timedelta(seconds=20)
    world.command(stop(id="by-broker", by_event=True))
    assert world.patches == ["stop"]


def test_a_stop_that_died_after_its_patch_does_not_undo_what_somebody_did_since():
    world = World()
    world.command(stop(by_event=True), crash_before=5)
    assert world.patches == ["stop"]
    world.notification()
    world.toggle_outside()
    assert world.command(stop(by_event=True)).status == 202
    assert world.patches == ["stop"]
    world.settle()
    assert world.record.state is State.RUNNING


def test_a_start_that_died_after_its_patch_does_not_undo_what_somebody_did_since():
    world = World()
    world.command(stop())
    world.settle()
    world.command(start(by_event=True), crash_before=5)
    assert world.patches == ["stop", "start"]
    world.notification()
    world.toggle_outside()
    assert world.command(start(by_event=True)).status == 202
    assert world.patches == ["stop", "start"]
    world.settle()
    assert world.record.state is State.STOPPED


def test_an_old_notification_costs_no_look():
    world = World()
    world.notification()
    version = world.version
    world.version += 5
    world.run(take_notification(REF, LIMITS, object_version=version))
    assert world.record.version == version


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["stop", "start", "queued start", "forced stop", "notification", "kserve", "again", "outside"]),
        st.integers(0, LAST_ASK),
    ),
    max_size=14,
)


@settings(max_examples=400 if WHOLE else 120, deadline=None)
@given(ACTIONS)
@example([("stop", 0), ("kserve", 0), ("stop", 0), ("outside", 0), ("kserve", 0), ("outside", 0)])
def test_any_schedule_ends_in_agreement_with_the_cluster_and_nothing_is_done_twice(actions):
    """Whatever is sent, crashes, repeats or is done by others: one PATCH per command at most, no pin, no lie."""
    world = World(pods=[a_pod(grace=300)])
    sent = []
    outside = 0
    for number, (what, crash_before) in enumerate(actions):
        world.now += timedelta(seconds=1)
        match what:
            case "notification":
                world.notification(crash_before)
            case "kserve":
                world.kserve()
            case "outside":
                outside += 1
                world.toggle_outside()
            case "again":
                if sent:
                    world.command(sent[-1], crash_before)
            case _:
                make = start if "start" in what else stop
                extra = {"graceful": False} if "forced" in what else {}
                sent.append(make(id=f"c{number}", by_event=True, queue=True, **extra))
                world.command(sent[-1], crash_before)
    for request in sent:
        world.command(request)
    world.now += timedelta(seconds=15)
    world.settle()
    world.settle()
    assert (world.record.state is State.STOPPED) == world.stop_wanted
    assert (world.record.state is State.RUNNING) != world.stop_wanted
    assert not world.stop_wanted or world.pods == []
    assert not world.pinned
    assert world.patches.count("stop") <= 2 * len(sent)
    assert len({published.id for published in world.events}) == len(world.events)


@settings(max_examples=300 if WHOLE else 80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["stop", "start", "forced stop"]), st.integers(0, LAST_ASK)), min_size=1))
def test_the_command_accepted_last_wins(commands):
    """Crashed deliveries come again after all others, as a broker's retries do; they never undo what came later."""
    world = World()
    sent, last = [], None
    for number, (what, crash_before) in enumerate(commands):
        extra = {"graceful": False} if "forced" in what else {}
        make = start if what == "start" else stop
        request = make(id=f"c{number}", by_event=True, queue=True, **extra)
        sent.append(request)
        answered = world.command(request, crash_before)
        last = request if answered else last
        world.settle()
    for request in sent:
        world.command(request)
        world.settle()
    newest = max(world.seen.values(), key=lambda seen: seen.sequence)
    verb = next(request.verb for request in sent if world.seen[request.key] is newest)
    assert world.stop_wanted == (verb == "stop")
