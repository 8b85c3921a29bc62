"""A stop that was done while Redis was away, and whose request comes again once Redis is back."""

from datetime import timedelta

import pytest
from builders import start, stop
from world import World

from events.status import State


def test_a_stop_done_without_redis_is_not_done_again_after_a_later_start():
    world, request = World(redis=False), stop(by_event=False)
    assert world.command(request).body["recorded"] is False
    world.redis = True
    world.settle()
    world.command(start())
    world.settle()
    assert world.command(request).status == 202
    world.settle()
    assert world.record.state is State.RUNNING
    assert world.patches == ["stop", "start"]


def test_the_same_where_the_start_is_the_first_to_see_it():
    world, request = World(redis=False), stop(by_event=False)
    world.command(request)
    world.kserve()
    world.kserve()
    world.redis = True
    world.command(start(by_event=True))
    world.settle()
    world.command(request)
    world.settle()
    assert world.record.state is State.RUNNING


def test_another_stop_is_done():
    world = World(redis=False)
    world.command(stop(by_event=False))
    world.redis = True
    world.settle()
    world.command(start())
    world.settle()
    world.command(stop(by_event=False, id="another"))
    assert world.patches == ["stop", "start", "stop"]


def test_a_stop_that_somebody_else_removed_is_not_done_again():
    """No look came in between: only what was written beside the stop tells that it was done."""
    world, request = World(redis=False), stop(by_event=False)
    world.command(request)
    world.toggle_outside()
    assert world.command(request).status == 202
    world.redis = True
    world.command(request)
    world.settle()
    assert world.record.state is State.RUNNING
    assert world.patches == ["stop"]


def test_nor_after_a_stop_and_a_start_of_others_have_taken_its_words_away():
    world, request = World(redis=False), stop(by_event=False)
    world.command(request)
    world.toggle_outside()
    world.redis = True
    world.settle()
    world.command(stop(id="another"))
    world.settle()
    world.command(start())
    world.settle()
    world.command(request)
    assert world.patches == ["stop", "stop", "start"]


BEFORE_ITS_COMMIT, BEFORE_ITS_PATCH = 5, 4


@pytest.mark.parametrize("crash_before", [BEFORE_ITS_COMMIT, BEFORE_ITS_PATCH])
def test_a_start_that_died_does_not_undo_a_stop_that_was_done_without_redis_meanwhile(crash_before):
    world, request = _stopped(), start(by_event=True)
    world.command(request, crash_before)
    world.toggle_outside() if crash_before == BEFORE_ITS_PATCH else world.kserve()
    world.redis = False
    assert world.command(stop(by_event=False, id="urgent")).body["recorded"] is False
    world.redis = True
    world.command(request)
    world.settle()
    assert world.record.state is State.STOPPED
    assert world.patches[-1] == "stop"


def test_a_start_that_died_before_it_removed_such_a_stop_removes_it():
    world, request = World(redis=False), start(by_event=True)
    world.command(stop(by_event=False))
    world.redis = True
    world.settle()
    world.command(request, BEFORE_ITS_PATCH)
    world.command(request)
    world.settle()
    assert world.record.state is State.RUNNING


AFTER_QUEUEING = 4


def test_a_queued_start_whose_step_died_does_not_make_it_a_new_request():
    """The queue is written on the model beside the stop, which must still say that no claim knows it."""
    world, request = World(redis=False), stop(by_event=False)
    world.command(request)
    world.redis = True
    world.command(start(by_event=True, queue=True), AFTER_QUEUEING)
    world.settle()
    world.command(request)
    world.settle()
    assert world.record.state is State.RUNNING
    assert world.patches[-1] == "start"


def test_it_does_not_call_off_a_start_that_waits_for_another_stop():
    world, request = World(redis=False), stop(by_event=False)
    world.command(request)
    world.redis = True
    world.settle()
    world.command(start())
    world.settle()
    world.command(stop(id="another"))
    world.command(start(by_event=True, queue=True, id="waits"))
    world.command(request)
    world.settle()
    assert world.record.state is State.RUNNING


def _stopped():
    world = World()
    world.command(stop())
    world.settle()
    return world


def test_a_stop_that_had_nothing_to_do_without_redis_is_not_done_after_a_start():
    world, request = World(), stop(by_event=False, id="second")
    world.command(stop())
    world.redis = False
    answer = world.command(request)
    assert (answer.status, answer.body["recorded"], answer.changed) == (200, False, False)
    world.redis = True
    world.settle()
    world.command(start())
    world.settle()
    assert world.command(request).status == 202
    world.settle()
    assert world.record.state is State.RUNNING


def test_it_is_noted_once_however_often_it_comes():
    world, request = World(), stop(by_event=False, id="second")
    world.command(stop())
    world.redis = False
    for _ in range(3):
        world.command(request)
    assert world.version == 12


def stopped_without_redis(world):
    world.now += timedelta(seconds=3)
    world.redis = False
    assert world.command(stop(id="by-person", by_event=False)).body["recorded"] is False
    world.redis = True
    world.now += timedelta(seconds=3)


@pytest.mark.parametrize("theirs", [True, False])
def test_a_start_that_died_after_its_patch_does_not_undo_a_stop_that_came_later(theirs):
    """Whichever stop the start removed: ours or another's."""
    world, request = World(), start(by_event=True)
    world.notification()
    if theirs:
        world.toggle_outside()
    else:
        world.command(stop(id="first"))
    world.settle()
    world.command(request, crash_before=5)
    assert not world.stop_wanted
    stopped_without_redis(world)
    world.command(request)
    world.settle()
    assert world.record.state is State.STOPPED


@pytest.mark.parametrize("crash_before", [2, 3])
def test_a_start_that_waited_in_line_meanwhile_does_not_undo_it_either(crash_before):
    """It arrived before the stop, and had planned nothing: only when they came tells which was later."""
    world, request = World(), start(by_event=True)
    world.notification()
    world.command(request, crash_before)
    stopped_without_redis(world)
    world.kserve()
    world.kserve()
    world.command(request)
    world.settle()
    assert world.record.state is State.STOPPED
    world.command(start(id="later", by_event=True))
    world.settle()
    assert world.record.state is State.RUNNING
