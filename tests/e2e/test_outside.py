"""What somebody else does, with kubectl or another dashboard: adopted as it is, said whose it was, and left alone."""

from kserve_models import STOP, STOP_NOTE, inference_service
from place import lasting


def test_a_stop_from_outside_is_shown_with_who_did_it_and_can_be_started(place):
    before = place.running(inference_service("model"))
    place.annotate("model", stop="true")
    stopped = place.until("model", "stopped")
    assert stopped["reason"] == "StoppedOutside"
    assert [(hold["kind"], hold["actor"]) for hold in stopped["holds"]] == [("external", "external:kubectl-annotate")]
    assert STOP_NOTE not in place.annotations("model")
    assert stopped["receipt"]["pods"] == 1
    place.start("model")
    place.until("model", "running")
    assert lasting(place.get("model")) == lasting(before)


def test_a_start_from_outside_leaves_our_note_which_the_next_stop_clears(place):
    place.running(inference_service("model"))
    first = place.stop("model", reason="first")
    place.until("model", "stopped")
    place.annotate("model", manager="dashboard", stop="false")
    running = place.until("model", "running")
    assert (running["holds"], running["desired"]) == ([], "running")
    assert STOP_NOTE in place.annotations("model")
    assert any(entry["actor"] == "external:dashboard" for entry in place.history("model"))

    place.stop("model", reason="second")
    stopped = place.until("model", "stopped")
    assert [hold["reason"] for hold in stopped["holds"]] == ["second"]
    place.start("model")
    place.until("model", "running")
    annotations = place.annotations("model")
    assert STOP_NOTE not in annotations
    assert annotations[STOP] == "false"
    assert first["status"]["state"] == "stopping"


def test_a_model_that_was_stopped_before_anybody_looked_is_shown_so(place):
    place.make(inference_service("model", annotations={STOP: "TRUE"}))
    stopped = place.until("model", "stopped")
    assert (stopped["reason"], stopped["holds"][0]["kind"]) == ("StoppedOutside", "external")
    place.start("model")
    place.until("model", "running")
    assert STOP not in place.annotations("model")
