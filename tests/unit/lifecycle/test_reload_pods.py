"""Which pods a reload waits for: those that serve, once each has its model, and none that is on its way out."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import LIMITS, a_pod, terminating
from reload_world import ONE, ReloadWorld, reload

from functions.lifecycle.decide import decide
from functions.lifecycle.observation import Answer, Mode

OLD = a_pod("old")


def told(*pods, after=0, **changes):
    """What a look tells that shows these pods so many seconds after a reload of ONE."""
    world = ReloadWorld(pods=[OLD])
    world.settle()
    world.command(reload(ONE))
    seen = replace(world.look(), pods=pods, observed_at=world.now + timedelta(seconds=after), **changes)
    decision = decide(world.record, seen, None, LIMITS)
    return [published.event.type.split(".")[-2] for published in decision.events], decision


def new(**changes):
    return a_pod("new", digest=ONE, **changes)


@pytest.mark.parametrize(
    "beside", [terminating(OLD), replace(OLD, finished=True), a_pod("transformer", serves=False, answer=None)]
)
def test_what_ends_or_serves_nothing_is_not_waited_for(beside):
    assert told(new(), beside)[0] == ["reloaded"]


@pytest.mark.parametrize("beside", [OLD, a_pod("new-2", digest=ONE, ready=False, answer=None)])
def test_each_old_pod_must_go_and_each_new_one_must_answer(beside):
    assert told(new(), beside, after=5)[0] == []


def test_of_the_new_pods_the_history_counts_those_that_serve():
    transformer = a_pod("transformer", digest=ONE, serves=False, answer=None)
    _, decision = told(new(ready=False), transformer, OLD)
    (entry,) = [entry for entry in decision.audit if entry.action == "reload-pods"]
    assert (entry.message, entry.actor) == (f"1 pod to load {ONE}.", "training")


@pytest.mark.parametrize(
    ("changes", "after", "expected"),
    [
        ({"mode": Mode.KNATIVE}, 2, []),
        ({"mode": Mode.KNATIVE}, 3, ["reloaded"]),
        ({"mode": Mode.KNATIVE, "ready": Answer.UNKNOWN}, 60, []),
        ({"mode": Mode.STANDARD}, 60, []),
    ],
)
def test_an_old_pod_may_stay_only_where_knative_has_had_time_to_route_past_it(changes, after, expected):
    world = ReloadWorld(pods=[OLD])
    assert told(new(ready_since=world.now + timedelta(seconds=12)), OLD, after=after, **changes)[0] == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"may_scale_to_zero": True}, ["reloaded"]),
        ({"may_scale_to_zero": True, "ready": Answer.FALSE}, []),
        ({"may_scale_to_zero": False}, []),
    ],
)
def test_a_model_that_sleeps_at_zero_loads_it_when_it_wakes(changes, expected):
    assert told(mode=Mode.KNATIVE, **changes)[0] == expected
