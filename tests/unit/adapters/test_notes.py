"""Notes on stopped models: ours are known by their signature, all others are claims."""

import json

import pytest

from events.model import ModelRef
from events.status import Hold, HoldKind
from functions.adapters.kserve.notes import Notes, NoteState
from functions.lifecycle.effects import PatchModel
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, QueuedStart, StopNote

KEY, BEFORE, OTHER = "current-key-0000001", "former-key-00000002", "another-key-0000003"
REF = ModelRef(namespace="fraud", name="scorer")
PATH = "/metadata/annotations/" + STOP_NOTE_ANNOTATION.replace("/", "~1")
NOTE = StopNote(
    holds=(Hold(kind=HoldKind.USER, actor="alice", reason="naïve “night”", since="2026-01-01T00:00:00Z"),),
    source="rest:alice",
    command="stop-1",
    since="2026-01-01T00:00:00Z",
    queued=QueuedStart(source="rest:bob", id="start-1", actor="bob", expires_at="2026-01-01T01:00:00Z"),
)


def written(key=KEY, note=NOTE, ref=REF, uid="u1") -> str:
    """What stands on the model after our patch."""
    operations = (
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": PATH, "value": "former"},
        {"op": "add", "path": PATH, "value": note.dump()},
    )
    signed = Notes([key]).signed(PatchModel(ref, operations))
    assert list(signed[:2]) == list(operations[:2])
    return signed[2]["value"]


def read(text, *keys, ref=REF, uid="u1") -> StopNote:
    return Notes(keys or (KEY,)).verified(StopNote.parse(text), text, ref, uid)


@pytest.mark.parametrize("keys", [(KEY,), (OTHER, KEY)])
def test_our_own_note_counts_as_it_was_written_during_a_rotation_too(keys):
    assert read(written(), *keys) == NOTE


@pytest.mark.parametrize(
    ("text", "given"),
    [
        (NOTE.dump(), {}),
        (written(key=OTHER), {}),
        (written(), {"uid": "u2"}),
        (written(), {"ref": ModelRef(namespace="fraud", name="other")}),
        (written(), {"ref": ModelRef(namespace="other", name="scorer")}),
        (json.dumps({**json.loads(NOTE.dump()), "signature": "", "signed": True}), {}),
        (json.dumps({**json.loads(written()), "sequence": 7}), {}),
        (written().replace("alice", "carol"), {}),
    ],
)
def test_every_other_note_names_nobody_and_is_shown_as_a_claim(text, given):
    note = read(text, **given)
    assert not note.signed
    assert {hold.actor for hold in note.holds} == {"unknown"}
    assert note.holds[0].claimed_actor in {"alice", "carol"}
    assert (note.queued.actor, note.queued.claimed_actor) == ("modelswitch", "bob")
    assert note.queued.source == "unsigned:rest:bob"
    assert note.key == NOTE.key.replace("alice", note.holds[0].claimed_actor), (
        "a command that comes again is known by it"
    )


def test_without_a_key_nothing_is_signed_and_every_note_is_a_claim():
    patch = PatchModel(REF, ({"op": "add", "path": PATH, "value": NOTE.dump()},))
    assert Notes([]).signed(patch) == list(patch.operations)
    assert not Notes([]).verified(NOTE, NOTE.dump(), REF, "u1").signed


@pytest.mark.parametrize(
    ("keys", "text", "state"),
    [
        ([KEY], written(), NoteState.SIGNED),
        ([OTHER, KEY], written(), NoteState.SIGNED),
        ([OTHER], written(), NoteState.UNSIGNED),
        ([KEY], NOTE.dump(), NoteState.UNSIGNED),
        ([], written(), NoteState.UNCHECKED),
        ([], NOTE.dump(), NoteState.UNSIGNED),
    ],
)
def test_without_a_key_only_a_note_that_has_no_signature_is_known_to_be_unsigned(keys, text, state):
    assert Notes(keys).state(text, REF, "u1") is state


def test_what_other_versions_read_is_the_note_itself():
    assert StopNote.parse(written()) == NOTE
    assert "signed" not in json.loads(NOTE.dump())


def test_a_claim_that_we_write_again_stays_a_claim():
    claim = read(NOTE.dump())
    again = read(written(note=claim))
    assert again.signed
    assert [(hold.actor, hold.claimed_actor) for hold in again.holds] == [("unknown", "alice")]
    assert claim.as_claim() == claim.as_claim().as_claim()
