"""What a timeout really gives where the model's server has one of its own: said with the answer, and in the receipt."""

from dataclasses import replace

import pytest
from builders import LIMITS, a_pod, later, patched, running, stop, stop_set, terminating

from functions.lifecycle.decide import decide
from functions.lifecycle.effects import PatchModel
from functions.lifecycle.observe import observe
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote

POD = a_pod(grace=60, server_seconds=55)
SEEN = running(POD)
RECORD = observe(None, SEEN, LIMITS).record


def written(decision):
    """The stop note that the decision's patch sets."""
    (patch,) = [effect for effect in decision.effects if isinstance(effect, PatchModel)]
    return StopNote.parse(patched({}, patch.operations)[STOP_NOTE_ANNOTATION])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"timeout": 90}, True),
        ({"timeout": 55}, False),
        ({"timeout": 10}, False),
        ({}, False),
        ({"graceful": False}, False),
    ],
)
def test_a_stop_that_asks_for_more_than_the_server_gives_is_told_so(asked, said):
    decision = decide(RECORD, SEEN, stop(**asked), LIMITS)
    assert decision.changed
    assert bool(decision.note) is said
    if decision.note:
        assert decision.note.startswith("Its server ends requests in flight after 55 s, not 90 s")
        assert "terminationGracePeriodSeconds" in decision.note


def test_a_server_that_says_nothing_is_not_spoken_of():
    seen = running(a_pod(grace=60))
    assert decide(observe(None, seen, LIMITS).record, seen, stop(timeout=90), LIMITS).note is None


@pytest.mark.parametrize(("timeout", "server"), [(90, 55), (20, None)])
def test_the_receipt_says_what_the_server_gave_where_that_is_less_than_the_grace(timeout, server):
    begun = decide(RECORD, SEEN, stop(timeout=timeout), LIMITS)
    note = written(begun)
    ending = stop_set(terminating(POD, timeout), stop_note=note)
    looked = observe(begun.record, ending, LIMITS).record
    gone = replace(stop_set(stop_note=note), observed_at=later(60), pods=())
    (pod,) = observe(looked, gone, LIMITS).record.receipt.grace
    assert (pod.grace_seconds, pod.server_seconds) == (timeout, server)
