"""The JSON Patches on a model. Each tests what its decision rested on, so that it fails when another writer was faster.

Guarded by uid and the very annotations, not by resourceVersion: KServe writes status all the time. A `test` for null
holds where a key is absent (the API server's JSON Patch library reads it so; seen on Kubernetes 1.35).
"""

from collections.abc import Mapping
from typing import Any

from functions.lifecycle.effects import JsonPatch, PatchModel
from functions.lifecycle.observation import AUTOSCALER_ANNOTATION, DIGEST_ANNOTATION, STOP_ANNOTATION, Observation
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote

Operation = Mapping[str, Any]


def _path(key: str) -> str:
    """As JSON Pointer wants it; the other sign that it would escape, ~, no annotation's key can have."""
    return "/metadata/annotations/" + key.replace("/", "~1")


def _guards(seen: Observation, raw_stop_note: str | None) -> list[Operation]:
    guards: list[Operation] = [{"op": "test", "path": "/metadata/uid", "value": seen.uid}]
    if seen.annotations is None:
        guards.append({"op": "test", "path": "/metadata/annotations", "value": None})
        return guards
    guards.append({"op": "test", "path": _path(STOP_ANNOTATION), "value": seen.stop_annotation})
    guards.append({"op": "test", "path": _path(STOP_NOTE_ANNOTATION), "value": raw_stop_note})
    if seen.digest is not None:
        guards.append({"op": "test", "path": _path(DIGEST_ANNOTATION), "value": seen.digest})
    return guards


def _set(seen: Observation, key: str, value: str | None) -> list[Operation]:
    """Sets a key, or removes it where it is there; nothing where it is as wanted."""
    present = seen.annotations is not None and key in seen.annotations
    if value is not None:
        return [{"op": "add", "path": _path(key), "value": value}]
    return [{"op": "remove", "path": _path(key)}] if present else []


def _patch(seen: Observation, changes: Mapping[str, str | None]) -> JsonPatch:
    raw_stop_note = (seen.annotations or {}).get(STOP_NOTE_ANNOTATION)
    operations = _guards(seen, raw_stop_note)
    if seen.annotations is None:
        operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    for key, value in changes.items():
        operations.extend(_set(seen, key, value))
    return tuple(operations)


def stop_patch(seen: Observation, stop_note: StopNote, others: Mapping[str, str | None]) -> PatchModel:
    """Set the stop and say why, in one PATCH; `others` are annotations that change along with it."""
    changes = {STOP_ANNOTATION: "true", STOP_NOTE_ANNOTATION: stop_note.dump(), **others}
    return PatchModel(seen.ref, _patch(seen, changes))


def note_patch(seen: Observation, stop_note: StopNote) -> PatchModel:
    """Change what the stop note says of a stop that stands."""
    return PatchModel(seen.ref, _patch(seen, {STOP_NOTE_ANNOTATION: stop_note.dump()}))


def digest_patch(seen: Observation, value: str) -> PatchModel:
    """Name the artifact on the model: KServe copies that into the pods, and so makes new ones, once per value."""
    return PatchModel(seen.ref, _patch(seen, {DIGEST_ANNOTATION: value}))


def start_patch(seen: Observation, *, without_autoscaler: bool) -> PatchModel:
    """Put the annotations back as they were before the stop.

    A stop that was not ours leaves no word of what was before: then the annotation goes.
    """
    stop_note = seen.stop_note
    changes: dict[str, str | None] = {
        STOP_ANNOTATION: stop_note.prior_stop if stop_note else None,
        STOP_NOTE_ANNOTATION: None,
    }
    if without_autoscaler:
        changes[AUTOSCALER_ANNOTATION] = "external"
    return PatchModel(seen.ref, _patch(seen, changes))
