"""Something may have changed: observe the model, and do what is due."""

from collections.abc import Mapping
from dataclasses import replace

from events.model import ModelRef
from functions.lifecycle.decide import decide
from functions.lifecycle.effects import Action, AuditEntry, StepAnswer, UnpinOwners
from functions.lifecycle.errors import PreconditionFailed
from functions.lifecycle.handover import end_left
from functions.lifecycle.observation import Observation
from functions.lifecycle.prediction import Prediction
from functions.lifecycle.record import Record
from functions.lifecycle.scene import Limits
from functions.lifecycle.smoke_test import being_asked, brought, with_brought
from functions.reconcile.apply import ATTEMPTS, apply, commit_of
from functions.reconcile.ports import Commit, Ports


async def reconcile_notification(
    ports: Ports,
    ref: ModelRef,
    limits: Limits,
    *,
    object_version: int = 0,
    pods_version: int = 0,
    pinned: bool = False,
    in_passing: bool = False,
) -> StepAnswer:
    """The versions are those of the notification's own object: one no newer than the last observation costs nothing
    beyond the record.

    A notification never fails for a conflict: what was faster has observed the model too. `pinned`: a pin was found
    whose stop may have died before it could say so. `in_passing`: do not wait for a smoke test; the next
    observation that is due sends it.
    """
    predict: tuple[str, ...] = ()
    unkept: Mapping[str, Prediction] = {}
    for _ in range(ATTEMPTS):
        loaded = await ports.load(ref)
        record = loaded.record
        again = predict or unkept
        if record and not again and not _is_newer(record, object_version, pods_version):
            return StepAnswer(202)
        seen = await ports.observe(ref, pinned=pinned, predict=predict)
        if not seen.exists:
            return await _forget(ports, record, loaded.revision, seen)
        seen = with_brought(seen, unkept)
        unkept = brought(seen)
        decision = decide(record, seen, None, limits, loaded.planned)
        predict = () if in_passing else decision.predict
        if predict:
            decision = replace(decision, record=being_asked(decision.record, predict, seen.observed_at))
        try:
            version = await apply(ports, decision, seen)
        except PreconditionFailed:
            continue
        committed = await ports.commit(commit_of(decision, loaded.revision, version))
        if not committed.conflict:
            unkept = {}
        if committed.conflict or committed.stale:
            predict = ()
        if not (committed.conflict or decision.again or predict):
            return StepAnswer(202, changed=decision.changed)
    return StepAnswer(202)


def _is_newer(record: Record, object_version: int, pods_version: int) -> bool:
    return not (0 < object_version <= record.version or 0 < pods_version <= record.pods_version)


async def _forget(ports: Ports, record: Record | None, revision: int, seen: Observation) -> StepAnswer:
    if seen.pins:
        await ports.apply(UnpinOwners(seen.ref, tuple(pin.owner for pin in seen.pins)))
    for effect in end_left(seen):
        await ports.apply(effect)
    await ports.commit(Commit(seen.ref, revision, None, audit=_gone(record, seen), forget=True))
    return StepAnswer(202)


def _gone(record: Record | None, seen: Observation) -> tuple[AuditEntry, ...]:
    if record is None:
        return ()
    return (AuditEntry(seen.observed_at, seen.ref, Action.DELETED, "external:unknown", previous=record.state),)
