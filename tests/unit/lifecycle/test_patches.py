"""The JSON Patches themselves, operation by operation: what they test, in which order, and what they set."""

import pytest
from builders import NOW, a_companion, running, stop_set

from events.status import Hold, HoldKind
from functions.lifecycle.companion import Companion, QueuedStart
from functions.lifecycle.patches import note_patch, start_patch, stop_patch

UID = {"op": "test", "path": "/metadata/uid", "value": "model-1"}
STOP = "/metadata/annotations/serving.kserve.io~1stop"
COMPANION = "/metadata/annotations/modelswitch.dev~1stop"
AUTOSCALER = "/metadata/annotations/serving.kserve.io~1autoscalerClass"
AUTOSCALER_KEY = "serving.kserve.io/autoscalerClass"
OURS = a_companion()


def test_a_stop_tests_uid_and_both_annotations_before_it_sets_them():
    seen = running(annotations={"team": "x"})
    patch = stop_patch(seen, OURS, {})
    assert patch.ref == seen.ref
    assert patch.operations == (
        UID,
        {"op": "test", "path": STOP, "value": None},
        {"op": "test", "path": COMPANION, "value": None},
        {"op": "add", "path": STOP, "value": "true"},
        {"op": "add", "path": COMPANION, "value": OURS.dump()},
    )


def test_a_stop_of_a_model_without_any_annotation_makes_room_for_them_first():
    assert stop_patch(running(annotations=None), OURS, {}).operations == (
        UID,
        {"op": "test", "path": "/metadata/annotations", "value": None},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": STOP, "value": "true"},
        {"op": "add", "path": COMPANION, "value": OURS.dump()},
    )


@pytest.mark.parametrize(
    ("annotations", "prior", "operations"),
    [
        ({AUTOSCALER_KEY: "external"}, "hpa", ({"op": "add", "path": AUTOSCALER, "value": "hpa"},)),
        ({AUTOSCALER_KEY: "external"}, None, ({"op": "remove", "path": AUTOSCALER},)),
        ({}, None, ()),
        (None, None, ()),
    ],
)
def test_a_stop_puts_the_autoscaler_back_and_removes_only_what_is_there(annotations, prior, operations):
    patch = stop_patch(running(annotations=annotations), OURS, {AUTOSCALER_KEY: prior})
    at = [operation["path"] for operation in patch.operations].index(COMPANION, 3) + 1
    assert patch.operations[at:] == operations


def test_a_note_changes_only_what_the_companion_says_and_only_if_nobody_was_faster():
    seen = stop_set(companion=OURS)
    queued = a_companion(queued=QueuedStart(source="/p", id="start-9", actor="pipeline"))
    patch = note_patch(seen, queued)
    assert patch.ref == seen.ref
    assert patch.operations == (
        UID,
        {"op": "test", "path": STOP, "value": "true"},
        {"op": "test", "path": COMPANION, "value": OURS.dump()},
        {"op": "add", "path": COMPANION, "value": queued.dump()},
    )


@pytest.mark.parametrize(
    ("companion", "stop_operation"),
    [
        (OURS, {"op": "remove", "path": STOP}),
        (a_companion(prior_stop="false"), {"op": "add", "path": STOP, "value": "false"}),
    ],
)
def test_a_start_puts_the_stop_back_as_it_was_and_takes_the_companion_away(companion, stop_operation):
    seen = stop_set(companion=companion)
    patch = start_patch(seen, without_autoscaler=False)
    assert patch.ref == seen.ref
    assert patch.operations == (
        UID,
        {"op": "test", "path": STOP, "value": "true"},
        {"op": "test", "path": COMPANION, "value": companion.dump()},
        stop_operation,
        {"op": "remove", "path": COMPANION},
    )


def test_a_start_without_the_autoscaler_tells_kserve_to_leave_the_scale_alone():
    patch = start_patch(stop_set(), without_autoscaler=True)
    assert patch.operations == (
        UID,
        {"op": "test", "path": STOP, "value": "true"},
        {"op": "test", "path": COMPANION, "value": None},
        {"op": "remove", "path": STOP},
        {"op": "add", "path": AUTOSCALER, "value": "external"},
    )


def test_the_companion_comes_back_as_it_was_written_and_says_nothing_twice():
    whole = a_companion(
        sequence=7,
        correlation_id="corr-1",
        grace=90,
        prior_stop="false",
        queued=QueuedStart(source="/p", id="start-9", actor="pipeline", restore_autoscaling=False, expires_at=NOW),
    )
    assert Companion.parse(whole.dump()) == whole
    bare = Companion(
        holds=(Hold(kind=HoldKind.USER, actor="oncall", since=NOW),), source="/test", command="stop-1", since=NOW
    )
    assert bare.dump() == (
        '{"holds":[{"kind":"user","actor":"oncall","since":"2026-03-01T12:00:00Z"}],'
        '"source":"/test","command":"stop-1","since":"2026-03-01T12:00:00Z"}'
    )


@pytest.mark.parametrize("text", [None, "", "hello", "{}", '{"holds": "none"}'])
def test_what_is_not_our_companion_counts_as_none(text):
    assert Companion.parse(text) is None


def test_a_companion_of_a_later_version_is_understood():
    later = OURS.dump()[:-1] + ',"something_new":1}'
    assert Companion.parse(later) == OURS
