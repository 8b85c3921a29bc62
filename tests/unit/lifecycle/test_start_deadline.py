"""How long a start may take: each model has its own time, and one that is seen to load is not given up."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import LIMITS, NOW, REF, a_pod, later, running
from reload_world import ONE, ReloadWorld, reload

from events.status import State
from functions.lifecycle.derive import derive
from functions.lifecycle.observation import Answer
from functions.lifecycle.observe import observe
from functions.lifecycle.reasons import ADVICE
from functions.lifecycle.record import Record, Run

STARTING = Record(ref=REF, uid="model-1", state=State.STARTING, start=Run(since=NOW, actor="oncall", key="k"))
WANTED = "modelswitch.dev/start-deadline"
DOWNLOADS = "init container storage-initializer runs."


def loading_for(seconds, *, annotation=None, **pod):
    annotations = {} if annotation is None else {WANTED: annotation}
    unready = a_pod(**{"ready": False, "answer": None, "ready_since": None, **pod})
    return running(unready, ready=Answer.FALSE, observed_at=later(seconds), annotations=annotations)


def verdict(seen, record=STARTING):
    found = derive(seen, record, LIMITS)
    return found.state, found.reason, found.message


@pytest.mark.parametrize(
    ("seen", "record", "seconds", "source"),
    [
        ({}, STARTING, 900, "(START_DEADLINE of the installation)"),
        ({"annotation": "40m"}, STARTING, 2400, f"(annotation {WANTED})"),
        ({"annotation": "90 s"}, STARTING, 90, f"(annotation {WANTED})"),
        ({"startup_seconds": 3600}, STARTING, 3600, "(its startup probe)"),
        ({"startup_seconds": 60}, STARTING, 900, "(START_DEADLINE of the installation)"),
        ({}, STARTING.model_copy(update={"start_seconds": (1300.0, 40.0)}), 2600, "(twice its slowest recent start)"),
        ({}, STARTING.model_copy(update={"start_seconds": (40.0,)}), 900, "(START_DEADLINE of the installation)"),
        ({"annotation": "soon"}, STARTING, 900, "is not a duration such as 45m, up to 7d: 'soon')"),
        ({"annotation": "0s"}, STARTING, 900, "is not a duration such as 45m, up to 7d: '0s')"),
        ({"annotation": "9w"}, STARTING, 900, "is not a duration such as 45m, up to 7d: '9w')"),
    ],
)
def test_a_model_has_its_own_time_to_start(seen, record, seconds, source):
    assert verdict(loading_for(seconds, **seen), record)[0] is State.STARTING
    state, reason, message = verdict(loading_for(seconds + 1, **seen), record)
    assert (state, reason) == (State.ERROR, "StartDeadlineExceeded")
    assert f"its start deadline is {seconds}s" in message
    assert source in message


def test_time_that_a_pod_waited_for_its_node_is_no_time_to_load():
    assert verdict(loading_for(1500, scheduled_at=later(601)))[0] is State.STARTING
    assert verdict(loading_for(1502, scheduled_at=later(601)))[1] == "StartDeadlineExceeded"


def test_a_model_that_is_seen_to_load_is_not_to_be_stopped():
    state, reason, message = verdict(loading_for(901, loading=DOWNLOADS))
    assert (state, reason) == (State.STARTING, "StillLoading")
    assert message == (
        "It loads for longer than its start deadline of 900s (START_DEADLINE of the installation). "
        f"scorer-0: {DOWNLOADS} {ADVICE['StillLoading']}"
    )
    assert "stop" not in ADVICE["StillLoading"]


def test_a_download_that_hangs_fails_after_four_deadlines():
    assert verdict(loading_for(3600, loading=DOWNLOADS))[0] is State.STARTING
    assert verdict(loading_for(3601, loading=DOWNLOADS))[:2] == (State.ERROR, "StartDeadlineExceeded")


def test_how_long_its_starts_take_is_learnt_from_the_latest_five():
    record = STARTING.model_copy(update={"start_seconds": (1.0, 2.0, 3.0, 4.0, 5.0)})
    ready = running(a_pod(scheduled_at=later(100)), observed_at=later(1400))
    after = observe(record, ready, LIMITS).record
    assert after.start_seconds == (2.0, 3.0, 4.0, 5.0, 1300.0)
    assert (
        observe(after, replace(ready, observed_at=later(1500), version=11), LIMITS).record.start_seconds
        == after.start_seconds
    )


def test_a_start_that_is_over_its_deadline_teaches_the_next_one():
    late = observe(STARTING, loading_for(1000), LIMITS).record
    assert late.reason == "StartDeadlineExceeded"
    up = observe(late, running(observed_at=later(1200), version=12), LIMITS).record
    again = up.model_copy(update={"state": State.STARTING, "start": Run(since=later(2000), actor="oncall", key="k2")})
    assert verdict(loading_for(2000 + 2400), again)[0] is State.STARTING


def test_a_reload_that_is_seen_to_load_has_not_failed():
    world = ReloadWorld()
    world.settle()
    world.events.clear()
    world.command(reload(ONE))
    new = a_pod("new", ready=False, answer=None, digest=ONE, loading=DOWNLOADS)
    world.pods = [*world.pods, new]
    world.version += 1
    world.now += LIMITS.start_deadline + timedelta(seconds=1)
    world.notification()
    assert world.told() == []
    world.pods = [*world.pods[:-1], replace(new, loading=None)]
    world.version += 1
    world.later(1)
    world.notification()
    assert [told.event.code for told in world.events] == ["StartDeadlineExceeded"]
