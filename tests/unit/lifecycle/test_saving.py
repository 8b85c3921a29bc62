"""What stops saved: kept when the model leaves `stopped`, once, however it is started."""

import pytest
from builders import LIMITS, NOW, a_pod, a_stop_note, later, running, start, stop_set

from events.status import State
from functions.lifecycle.decide import decide
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Intent, Run, Saved
from functions.lifecycle.saving import saved_by
from functions.lifecycle.stop_note import QueuedStart

GIB = 1024**3
RAN = observe(None, running(a_pod(gpus=2)), LIMITS).record
STOPPED = observe(RAN, stop_set(stop_note=a_stop_note(pods=()), observed_at=later(100)), LIMITS).record


def stop_seen(seconds, **changes):
    return stop_set(stop_note=a_stop_note(pods=(), **changes), observed_at=later(seconds))


def saved(gpus_times_seconds, stops=1, seconds=None, since=100):
    memory = 8 * GIB * (gpus_times_seconds // 2 if seconds is None else seconds)
    return Saved(gpu_seconds=gpus_times_seconds, memory_byte_seconds=memory, stops=stops, since=later(since))


def test_while_it_is_stopped_nothing_is_added_its_receipt_says_it_all():
    assert (STOPPED.state, STOPPED.receipt.gpus, STOPPED.receipt.stopped_at) == (State.STOPPED, 2, later(100))
    assert STOPPED.saved is None
    assert observe(STOPPED, stop_seen(500), LIMITS).record.saved is None
    assert saved_by(STOPPED, later(160)) == saved(120)


def test_a_start_adds_what_its_stop_saved_until_it_was_accepted():
    record = decide(STOPPED, stop_seen(160), start(), LIMITS).record
    assert (record.state, record.saved) == (State.STARTING, saved(120))


def test_it_is_added_once_however_long_the_start_takes():
    record = decide(STOPPED, stop_seen(160), start(), LIMITS).record
    for seconds in (170, 180, 200):
        record = observe(record, running(a_pod(gpus=2), observed_at=later(seconds)), LIMITS).record
    assert (record.state, record.saved) == (State.RUNNING, saved(120))


def test_a_start_from_outside_counts_until_it_was_seen():
    record = observe(STOPPED, running(a_pod(gpus=2), observed_at=later(130)), LIMITS).record
    assert record.saved == saved(60)


def test_a_start_that_died_after_its_patch_counts_until_it_was_accepted():
    planned = Intent(verb="start", at=later(120), run=Run(since=later(120), actor="pipeline", key="/test start-1"))
    record = observe(STOPPED, running(pods=(), observed_at=later(150)), LIMITS, planned).record
    assert record.saved == saved(40)


def test_a_queued_start_is_counted_when_it_is_carried_out_and_not_when_it_is_noted():
    queued = QueuedStart(source="/p", id="start-9", actor="pipeline")
    noted = decide(STOPPED, stop_seen(100, queued=queued), None, LIMITS).record
    assert (noted.state, noted.saved) == (State.STOPPED, None)
    assert decide(noted, stop_seen(101, queued=queued), None, LIMITS).record.saved == saved(0)


def test_stops_add_up_and_keep_since_when():
    record = decide(STOPPED, stop_seen(160), start(), LIMITS).record
    record = observe(record, running(a_pod(gpus=2), observed_at=later(200)), LIMITS).record
    again = observe(record, stop_set(stop_note=a_stop_note(command="stop-2"), observed_at=later(300)), LIMITS).record
    assert (again.state, again.saved) == (State.STOPPED, saved(120))
    record = decide(again, stop_set(stop_note=a_stop_note(command="stop-2"), observed_at=later(310)), start(), LIMITS)
    assert record.record.saved == saved(140, stops=2)


def test_a_model_made_anew_under_the_same_name_begins_with_nothing():
    record = decide(STOPPED, stop_seen(160), start(), LIMITS).record
    assert observe(record, running(uid="another", observed_at=later(200)), LIMITS).record.saved is None


@pytest.mark.parametrize("state", [State.RUNNING, State.STARTING, State.STOPPING, State.ERROR])
def test_only_a_stop_saves(state):
    assert saved_by(STOPPED.model_copy(update={"state": state}), later(900)) is None


def test_a_clock_that_went_back_saves_nothing_and_takes_nothing():
    assert saved_by(STOPPED, NOW) == saved(0)


def test_it_is_counted_to_the_millisecond():
    assert saved_by(STOPPED, later(100.12345)).gpu_seconds == 0.247
