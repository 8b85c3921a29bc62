"""The JSON Patches themselves, operation by operation: what they test, in which order, and what they set."""

import json
from datetime import UTC, datetime

import pytest
from builders import NOW, a_stop_note, running, stop_set

from events.status import Hold, HoldKind
from functions.lifecycle.patches import note_patch, start_patch, stop_patch
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, QueuedStart, StopNote
from functions.lifecycle.unusable import Unusable

UID = {"op": "test", "path": "/metadata/uid", "value": "model-1"}
STOP = "/metadata/annotations/serving.kserve.io~1stop"
STOP_NOTE = "/metadata/annotations/modelswitch.dev~1stop"
AUTOSCALER = "/metadata/annotations/serving.kserve.io~1autoscalerClass"
AUTOSCALER_KEY = "serving.kserve.io/autoscalerClass"
OURS = a_stop_note()


def test_a_stop_tests_uid_and_both_annotations_before_it_sets_them():
    seen = running(annotations={"team": "x"})
    patch = stop_patch(seen, OURS, {})
    assert patch.ref == seen.ref
    assert patch.operations == (
        UID,
        {"op": "test", "path": STOP, "value": None},
        {"op": "test", "path": STOP_NOTE, "value": None},
        {"op": "add", "path": STOP, "value": "true"},
        {"op": "add", "path": STOP_NOTE, "value": OURS.dump()},
    )


def test_a_stop_of_a_model_without_any_annotation_makes_room_for_them_first():
    assert stop_patch(running(annotations=None), OURS, {}).operations == (
        UID,
        {"op": "test", "path": "/metadata/annotations", "value": None},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": STOP, "value": "true"},
        {"op": "add", "path": STOP_NOTE, "value": OURS.dump()},
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
    at = [operation["path"] for operation in patch.operations].index(STOP_NOTE, 3) + 1
    assert patch.operations[at:] == operations


def test_a_note_changes_only_what_the_stop_note_says_and_only_if_nobody_was_faster():
    seen = stop_set(stop_note=OURS)
    queued = a_stop_note(queued=QueuedStart(source="/p", id="start-9", actor="pipeline"))
    patch = note_patch(seen, queued)
    assert patch.ref == seen.ref
    assert patch.operations == (
        UID,
        {"op": "test", "path": STOP, "value": "true"},
        {"op": "test", "path": STOP_NOTE, "value": OURS.dump()},
        {"op": "add", "path": STOP_NOTE, "value": queued.dump()},
    )


@pytest.mark.parametrize(
    ("stop_note", "stop_operation"),
    [
        (OURS, {"op": "remove", "path": STOP}),
        (a_stop_note(prior_stop="false"), {"op": "add", "path": STOP, "value": "false"}),
    ],
)
def test_a_start_puts_the_stop_back_as_it_was_and_takes_the_stop_note_away(stop_note, stop_operation):
    seen = stop_set(stop_note=stop_note)
    patch = start_patch(seen, without_autoscaler=False)
    assert patch.ref == seen.ref
    assert patch.operations == (
        UID,
        {"op": "test", "path": STOP, "value": "true"},
        {"op": "test", "path": STOP_NOTE, "value": stop_note.dump()},
        stop_operation,
        {"op": "remove", "path": STOP_NOTE},
    )


def test_a_start_without_the_autoscaler_tells_kserve_to_leave_the_scale_alone():
    patch = start_patch(stop_set(), without_autoscaler=True)
    assert patch.operations == (
        UID,
        {"op": "test", "path": STOP, "value": "true"},
        {"op": "test", "path": STOP_NOTE, "value": None},
        {"op": "remove", "path": STOP},
        {"op": "add", "path": AUTOSCALER, "value": "external"},
    )


def test_the_stop_note_comes_back_as_it_was_written_and_says_nothing_twice():
    whole = a_stop_note(
        sequence=7,
        correlation_id="corr-1",
        grace=90,
        prior_stop="false",
        queued=QueuedStart(source="/p", id="start-9", actor="pipeline", restore_autoscaling=False, expires_at=NOW),
    )
    assert StopNote.parse(whole.dump()) == whole
    bare = StopNote(
        holds=(Hold(kind=HoldKind.USER, actor="oncall", since=NOW),), source="/test", command="stop-1", since=NOW
    )
    assert bare.dump() == (
        '{"holds":[{"kind":"user","actor":"oncall","since":"2026-03-01T12:00:00Z"}],'
        '"source":"/test","command":"stop-1","since":"2026-03-01T12:00:00Z"}'
    )


@pytest.mark.parametrize("text", [None, ""])
def test_no_stop_note_is_none(text):
    assert StopNote.parse(text) is None


NOTE = {"holds": [], "source": "x", "command": "y", "since": "2026-01-01T00:00:00Z"}
POD = {"uid": "1", "name": "p", "component": "predictor", "gpus": 1, "memory": 1, "grace": 30, "requests": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {"since": "2026-01-01T00:00:00"},
        {"since": "0000-01-01T00:00:00Z"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": "9999-12-31T23:59:59-10:00"},
        {"since": 10**30},
        {"since": None},
        {"holds": "none"},
        {"holds": [{"kind": "user", "actor": "x", "since": "2026-01-01T00:00:00"}]},
        {"holds": [{"kind": "user", "actor": "x"}] * 1000},
        {"holds": [{"kind": "user", "actor": "x" * 100_000}]},
        {"grace": 10**15},
        {"grace": -1},
        {"sequence": 2**64},
        {"source": "x" * 20_000},
        {"also": ["x"] * 1000},
        {"pods": [POD] * 2000},
        {"pods": [POD | {"memory": 10**300}]},
        {"pods": [POD | {"requests": {str(number): "1" for number in range(1000)}}]},
        {"queued": {"source": "x", "id": "1", "actor": "z", "expires_at": "2026-01-01T00:00:00"}},
        {"queued": {"source": "x", "id": "1", "actor": "z", "expires_at": "0001-01-01T00:00:00+10:00"}},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_stop_note_out_of_bounds_is_unusable_and_names_the_field(changes):
    found = StopNote.parse(json.dumps(NOTE | changes))
    assert isinstance(found, Unusable)
    assert STOP_NOTE_ANNOTATION in found.field
    assert next(iter(changes)) in found.found
    assert len(str(found)) < 400


@pytest.mark.parametrize(
    "text",
    ["hello", "{}", "[]", "null", "[" * 100_000, '{"a":' * 50_000, "x" * 2**20, "\ud800"],
    ids=lambda text: ascii(text)[:20],
)
def test_what_is_no_stop_note_at_all_is_unusable(text):
    assert isinstance(StopNote.parse(text), Unusable)


def test_the_longest_stop_note_of_our_own_is_read_back():
    longest = a_stop_note(
        since=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        queued=QueuedStart(
            source="s" * 4096,
            id="i" * 4096,
            actor="a" * 253,
            reason="r" * 1024,
            expires_at=datetime.max.replace(tzinfo=UTC),
        ),
        also=("s" * 4096 + " " + "i" * 4096,) * 8,
    )
    assert StopNote.parse(longest.dump()) == longest


def test_a_stop_note_of_a_later_version_is_understood():
    later = json.loads(OURS.dump()) | {"something_new": 1}
    later["holds"][0]["until"] = "2026-01-01T00:00:00Z"
    assert StopNote.parse(json.dumps(later)) == OURS
