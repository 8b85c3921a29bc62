"""What a look shows of a state, and what a JSON Patch makes of it: the cluster as the step meets it."""

import json
from functools import cache

from asks import Look
from builders import NOW, REF, patched
from renumber import Pool
from world_state import ENDING, ENDING_FAST, READY, STOP_VALUES, TERMINATING, State

from functions.lifecycle.effects import PatchModel
from functions.lifecycle.observation import (
    STOP_ANNOTATION,
    Answer,
    Answered,
    Mode,
    Observation,
    Owner,
    Pin,
    Pod,
    PodAnswer,
)
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote

OWN_GRACE, FORCED_GRACE = 30, 1


def owner(uid: int) -> Owner:
    return Owner("ReplicaSet", f"scorer-{uid}", str(uid))


def uids(owners: tuple[Owner, ...]) -> set[int]:
    return {int(one.uid) for one in owners}


def shown(state: State, ask: Look) -> tuple[object, ...]:
    """Everything that an observation depends on."""
    return (
        state.stop,
        state.stop_note,
        state.said_stopped,
        state.sets,
        state.pods,
        state.version,
        state.revision_of_list,
        ask.pinned,
    )


def observe(state: State, ask: Look, stop_notes: Pool) -> Observation:
    """Pins are looked for where the adapter looks for them: for a tick, and where the stop note names a grace."""
    annotations = _annotations(state.stop, stop_notes.values[state.stop_note])
    stop_note = StopNote.parse(annotations.get(STOP_NOTE_ANNOTATION))
    ready = any(phase == READY for _, _, phase in state.pods)
    look_for_pins = ask.pinned or (stop_note and stop_note.grace is not None)
    pins = [Pin(owner(uid), phase == TERMINATING) for uid, phase, pinned in state.sets if pinned and look_for_pins]
    return Observation(
        ref=REF,
        observed_at=NOW,
        exists=True,
        uid="model-1",
        version=state.version,
        pods_version=state.revision_of_list,
        annotations=annotations,
        mode=Mode.STANDARD,
        ready=Answer.TRUE if ready and not state.said_stopped else Answer.FALSE,
        ready_reason="Stopped" if state.said_stopped else None,
        stopped_condition=Answer.TRUE if state.said_stopped else Answer.FALSE,
        url="http://scorer.fraud.example.com" if ready and not state.said_stopped else None,
        stop_note=stop_note,
        pods=tuple(_pod(*pod) for pod in state.pods),
        pins=tuple(pins),
    )


def after_patch(state: State, ask: PatchModel, stop_notes: Pool) -> tuple[int, int] | None:
    """The stop annotation and the stop note afterwards; None where a test of the patch fails."""
    try:
        after = patched(_annotations(state.stop, stop_notes.values[state.stop_note]), ask.operations)
    except AssertionError:
        return None
    stop_note = after.get(STOP_NOTE_ANNOTATION)
    return STOP_VALUES.index(after.get(STOP_ANNOTATION)), stop_notes.put(stop_note)


def _annotations(stop: int, stop_note: str | None) -> dict[str, str]:
    annotations = {}
    if STOP_VALUES[stop] is not None:
        annotations[STOP_ANNOTATION] = STOP_VALUES[stop]
    if stop_note is not None:
        annotations[STOP_NOTE_ANNOTATION] = stop_note
    return annotations


@cache
def queued_command(stop_note: str | None) -> int | None:
    """Which command's start waits on the model."""
    queued = json.loads(stop_note).get("queued") if stop_note else None
    return int(queued["id"][1:]) if queued else None


@cache
def _pod(uid: int, of: int, phase: int) -> Pod:
    ending = {ENDING: OWN_GRACE, ENDING_FAST: FORCED_GRACE}.get(phase)
    return Pod(
        uid=str(uid),
        name=f"scorer-{uid}",
        component="predictor",
        ready=phase == READY,
        node="node1",
        gpus=1,
        memory=1,
        requests={},
        grace=OWN_GRACE,
        deleting=ending is not None,
        deletion_grace=ending,
        owner=owner(of),
        serves=True,
        answer=PodAnswer(Answered.LOADED),
    )
