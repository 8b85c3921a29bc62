"""The history has one entry of each command, wherever its step died and however often it came again."""

import pytest
from builders import start, stop
from world import World

LAST_ASK = 12
NOTIFICATIONS = [(), (1,), (1, 2)]
"""After which deliveries a look comes by."""


def entries(world, request):
    found = (entry for entry in world.audit if (entry.source, entry.event_id) == (request.source, request.id))
    return [(entry.action, entry.code) for entry in found]


def delivered_until_answered(world, request, crashes, notifications):
    for number, crash_before in enumerate(crashes, 1):
        world.command(request, crash_before)
        if number in notifications:
            world.notification()
    world.command(request)
    world.command(request)


@pytest.mark.parametrize("crash_before", range(1, LAST_ASK))
@pytest.mark.parametrize("notifications", NOTIFICATIONS)
@pytest.mark.parametrize("graceful", [True, False])
@pytest.mark.parametrize("looked_at", [True, False])
def test_a_stop_has_one_entry(crash_before, notifications, graceful, looked_at):
    world, request = World(), stop(by_event=True, graceful=graceful)
    if looked_at:
        world.notification()
    delivered_until_answered(world, request, (crash_before, crash_before), notifications)
    world.settle()
    assert entries(world, request) == [("stop", None)]


@pytest.mark.parametrize("crash_before", range(1, LAST_ASK))
@pytest.mark.parametrize("notifications", NOTIFICATIONS)
def test_a_start_has_one_entry(crash_before, notifications):
    world, request = World(), start(by_event=True)
    world.command(stop())
    world.settle()
    delivered_until_answered(world, request, (crash_before, crash_before), notifications)
    world.settle()
    assert entries(world, request) == [("start", None)]


@pytest.mark.parametrize("crash_before", range(1, LAST_ASK))
@pytest.mark.parametrize("notifications", NOTIFICATIONS)
def test_a_start_that_waits_for_the_last_pod_has_one_for_that_and_one_once_it_is_done(crash_before, notifications):
    world, request = World(), start(by_event=True, queue=True)
    world.command(stop())
    world.kserve()
    delivered_until_answered(world, request, (crash_before, crash_before), notifications)
    assert entries(world, request) == [("start", None)]
    world.pods = []
    for asked in range(1, LAST_ASK):
        world.notification(crash_before=asked)
    world.settle()
    assert not world.stop_wanted
    assert entries(world, request) == [("start", None), ("start", None)]


@pytest.mark.parametrize("crash_before", range(1, LAST_ASK))
@pytest.mark.parametrize("later", [start(id="later", by_event=True, queue=True), stop(id="later", by_event=True)])
@pytest.mark.parametrize("notifications", NOTIFICATIONS)
def test_a_command_that_a_later_one_overtook_has_one_entry(crash_before, later, notifications):
    world, request = World(), stop(by_event=True)
    world.notification()
    world.command(request, crash_before)
    if notifications:
        world.notification()
    world.command(later)
    world.command(request)
    world.settle()
    found = entries(world, request)
    assert found in ([("stop", None)], [("stop", "Superseded")])
    accepted = [entry for entry in entries(world, later) if entry[1] is None]
    assert accepted[:1] == [(later.verb, None)]
