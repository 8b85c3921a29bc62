"""What is passed over is counted by stage, and logged once an hour, however many objects there are."""

import asyncio

import pytest

from functions import object_errors
from functions.object_errors import ERRORS, KEPT, LOGGED_AGAIN_SECONDS, Stage, _Told, one_object


def counted(stage):
    return ERRORS.labels(stage)._value.get()


@pytest.mark.parametrize("error", [ValueError, RecursionError, OverflowError, MemoryError, KeyError])
def test_whatever_is_raised_concerns_one_object(error):
    before = counted(Stage.PIN)
    with one_object(Stage.PIN, "tenant/x"):
        raise error("x")
    assert counted(Stage.PIN) == before + 1


def test_a_cancellation_is_not_swallowed():
    with pytest.raises(asyncio.CancelledError), one_object(Stage.PIN, "tenant/x"):
        raise asyncio.CancelledError


def test_an_object_is_logged_again_after_an_hour_only():
    time = [0.0]
    told = _Told(lambda: time[0])
    assert told.is_due(("pin", "x"))
    assert not told.is_due(("pin", "x"))
    assert told.is_due(("due", "x"))
    time[0] = LOGGED_AGAIN_SECONDS
    assert told.is_due(("pin", "x"))


def test_of_ten_thousand_objects_a_thousand_are_logged_and_remembered():
    told = _Told(lambda: 0.0)
    assert sum(told.is_due(("pin", str(number))) for number in range(10_000)) == KEPT
    assert len(told._at) == KEPT


def test_names_are_no_labels():
    assert ERRORS._labelnames == ("stage",)
    assert {sample.labels["stage"] for metric in ERRORS.collect() for sample in metric.samples} <= set(
        object_errors.Stage
    )
