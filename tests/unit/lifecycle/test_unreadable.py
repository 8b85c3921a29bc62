"""A model of which something can't be read: it says what, and can be stopped and started all the same."""

import pytest
from builders import LIMITS, NOW, REF, a_pod, a_stop_note, patched, running, start, stop, stop_set, terminating

from events.status import HoldKind, State
from functions.lifecycle.decide import decide
from functions.lifecycle.derive import derive
from functions.lifecycle.effects import PatchModel
from functions.lifecycle.observation import STOP_ANNOTATION
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Record
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote
from functions.lifecycle.unusable import Unusable

GRACE = Unusable("spec.terminationGracePeriodSeconds of pod scorer-0", "1000000000000000", "at most 2147483647")
STATUS = Unusable("status.conditions", "an object", "a valid list")
NOTE = Unusable("the annotation modelswitch.dev/stop", "no note of ours (since: should have timezone info)", "another")


def stopped_with_a_broken_note(**changes):
    seen = stop_set(unusable_note=NOTE, **changes)
    seen.annotations[STOP_NOTE_ANNOTATION] = "{}"
    return seen


def verdict(seen):
    return derive(seen, Record(ref=REF), LIMITS)


def test_it_names_the_field_what_stands_there_and_what_to_do():
    shown = verdict(running(unusable=(GRACE, STATUS)))
    assert (shown.state, shown.reason) == (State.ERROR, "Unreadable")
    assert shown.message.startswith(
        "spec.terminationGracePeriodSeconds of pod scorer-0 is 1000000000000000; expected at most 2147483647. "
        "1 more can't be read either. Correct that field, or remove it"
    )


def test_however_much_stands_there_the_message_stays_short():
    assert len(verdict(running(unusable=(Unusable("f" * 10_000, "x" * 10_000, "y" * 10_000),))).message) < 1000


def test_it_is_told_as_failed_once_and_heals_when_the_field_does():
    ran = observe(None, running(), LIMITS).record
    broken = observe(ran, running(unusable=(GRACE,)), LIMITS)
    assert [published.event.code for published in broken.events] == ["Unreadable"]
    assert observe(broken.record, running(unusable=(GRACE,)), LIMITS).events == ()
    assert observe(broken.record, running(), LIMITS).record.state is State.RUNNING


@pytest.mark.parametrize(
    ("seen", "state", "reason"),
    [
        (stop_set(terminating(a_pod()), unusable=(GRACE,)), State.STOPPING, "Draining"),
        (stop_set(terminating(a_pod()), unusable_note=NOTE), State.STOPPING, "Draining"),
        (stop_set(unusable=(GRACE,), stop_note=a_stop_note()), State.STOPPED, "StoppedByUser"),
        (stop_set(unusable=(STATUS,), said=False), State.ERROR, "Unreadable"),
        (stop_set(unusable_note=NOTE), State.ERROR, "Unreadable"),
        (running(deleting=True, unusable=(GRACE,)), State.STOPPING, "Deleting"),
    ],
)
def test_on_its_way_down_only_what_is_needed_to_tell_makes_it_unreadable(seen, state, reason):
    shown = verdict(seen)
    assert (shown.state, shown.reason) == (state, reason)


def test_it_can_be_stopped():
    decision = decide(None, running(unusable=(GRACE,), unusable_note=NOTE), stop(), LIMITS)
    assert decision.changed
    assert any(isinstance(effect, PatchModel) for effect in decision.effects)
    assert decision.record.state is State.STOPPING


def test_a_stop_of_a_stopped_one_replaces_the_note_that_nobody_can_read():
    seen = stopped_with_a_broken_note()
    (patch,) = decide(None, seen, stop(), LIMITS).effects
    annotations = patched(dict(seen.annotations), patch.operations)
    written = StopNote.parse(annotations[STOP_NOTE_ANNOTATION])
    assert written.holds[0].kind is HoldKind.USER
    assert written.prior_stop is None
    after = stop_set(stop_note=written, observed_at=NOW)
    assert verdict(after).reason == "StoppedByUser"


@pytest.mark.parametrize("queue", [True, False])
def test_a_start_of_a_stopped_one_does_not_wait_and_leaves_no_note_behind(queue):
    seen = stopped_with_a_broken_note()
    decision = decide(None, seen, start(queue=queue), LIMITS)
    (patch,) = decision.effects
    annotations = patched(dict(seen.annotations), patch.operations)
    assert STOP_ANNOTATION not in annotations
    assert STOP_NOTE_ANNOTATION not in annotations
    assert decision.record.state is State.STARTING
