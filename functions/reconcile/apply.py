"""What commands and notifications do alike with a decision: apply its effects, and commit it."""

from contextlib import suppress

from functions.lifecycle.decision import Decision
from functions.lifecycle.effects import PinOwners, StepAnswer, UnpinOwners
from functions.lifecycle.errors import PolicyRefused, StepError
from functions.lifecycle.observation import Observation
from functions.lifecycle.request import Request
from functions.reconcile.ports import Commit, Ports

ATTEMPTS = 5
"""Observations of one model, each made because the model changed after the one before."""


async def apply(ports: Ports, decision: Decision, seen: Observation) -> int:
    """Applies the effects in order; returns the model's newest resourceVersion.

    What was pinned for a change that a policy then denies is released at once.
    """
    version, pins = seen.version, list[PinOwners]()
    try:
        for effect in decision.effects:
            patched = await ports.apply(effect)
            version = version if patched is None else patched
            if isinstance(effect, PinOwners):
                pins.append(effect)
    except PolicyRefused:
        for pin in pins:
            with suppress(StepError):  # then the timer does it
                await ports.apply(UnpinOwners(pin.ref, pin.owners))
        raise
    return version


def commit_of(
    decision: Decision,
    revision: int,
    version: int,
    *,
    request: Request | None = None,
    token: str | None = None,
    answer: StepAnswer | None = None,
) -> Commit:
    """`revision`: of the record that the decision rests on. `version`: the model's newest resourceVersion."""
    record = decision.record.model_copy(update={"version": max(version, decision.record.version)})
    return Commit(
        ref=record.ref,
        expected=revision,
        record=record,
        token=token,
        request=request,
        answer=answer,
        audit=decision.audit,
        events=decision.events,
        due=decision.due,
    )
