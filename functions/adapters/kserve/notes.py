"""Our note on a stopped model, signed: any user who may patch the model can write there, but not in our name.

An HMAC over the note, for this very model (namespace, kind, name, uid). A note without our signature still says why the
model is down, as a claim: no actor is recorded from it, and a start that waits in it is done as `modelswitch`. So a
lost key, or notes of a version that did not sign, cost names and nothing else.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from events.model import ModelRef
from functions.lifecycle.effects import PatchModel
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote

_PATH = "/metadata/annotations/" + STOP_NOTE_ANNOTATION.replace("/", "~1")
_UID = "/metadata/uid"
_SIGNATURE = "signature"
UNSIGNED_NOTE = "this note is not signed by this installation: treat it as a claim"


class NoteState(StrEnum):
    """Whether a note is ours. UNCHECKED: it has a signature, and this process has not the key to check it."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    UNCHECKED = "unchecked"


class Notes:
    """`keys`: the one to sign with first, then those that still count."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [hmac.digest(key.encode(), b"modelswitch note v1", "sha256") for key in keys]

    def signed(self, patch: PatchModel) -> list[Mapping[str, Any]]:
        """The patch's operations, with the note that they write signed for the model that they test for."""
        uid = next((str(one["value"]) for one in patch.operations if one["path"] == _UID), "")
        if not self._keys:
            return list(patch.operations)
        return [self._with_signature(one, patch.ref, uid) for one in patch.operations]

    def _with_signature(self, operation: Mapping[str, Any], ref: ModelRef, uid: str) -> Mapping[str, Any]:
        if operation["path"] != _PATH or operation["op"] not in {"add", "replace"}:
            return operation
        note = json.loads(operation["value"])
        mac = _mac(self._keys[0], ref, uid, note)
        return {**operation, "value": json.dumps({**note, _SIGNATURE: mac}, separators=(",", ":"))}

    def verified(self, stop_note: StopNote | None, text: str | None, ref: ModelRef, uid: str) -> StopNote | None:
        """`stop_note` as it was read from `text`; as a claim where we have not signed it."""
        if stop_note is None or text is None:
            return stop_note
        return stop_note if self.state(text, ref, uid) is NoteState.SIGNED else stop_note.as_claim()

    def state(self, text: str, ref: ModelRef, uid: str) -> NoteState:
        """Of the note in `text`, which can be read, on the model with that uid."""
        note = json.loads(text)
        given = str(note.pop(_SIGNATURE, "")).encode()
        right = [hmac.compare_digest(given, _mac(key, ref, uid, note).encode()) for key in self._keys]
        if any(right):
            return NoteState.SIGNED
        return NoteState.UNCHECKED if given and not self._keys else NoteState.UNSIGNED


def _mac(key: bytes, ref: ModelRef, uid: str, note: Mapping[str, Any]) -> str:
    text = json.dumps([ref.subject, uid, note], sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
