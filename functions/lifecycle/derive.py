"""Derive the state that a model is in from one observation."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from events.status import State
from functions.lifecycle.observation import Observation
from functions.lifecycle.reasons import Reason, advice
from functions.lifecycle.record import Record
from functions.lifecycle.rules import RULES
from functions.lifecycle.scene import Limits, Scene
from functions.lifecycle.smoke_test import next_try
from functions.lifecycle.state_messages import sentence

_WAITS_FOR_OTHERS = frozenset({Reason.SCHEDULING_GATED, Reason.SUSPENDED, Reason.AWAITING_SCALER})
"""It may wait for hours."""


@dataclass(frozen=True)
class Verdict:
    """`what` happened, and what to do `next`."""

    state: State
    reason: str | None = None
    what: str | None = None
    next: str | None = None

    @property
    def message(self) -> str | None:
        return " ".join(sentence(part) for part in (self.what, self.next) if part) or None


def derive(seen: Observation, record: Record, limits: Limits) -> Verdict:
    """The first rule that holds. `record` gives only the clock: when the present stop or start began."""
    scene = Scene(seen, record, limits)
    rule = next(rule for rule in RULES if rule.when(scene))
    reason, what = rule.says(scene)
    return Verdict(rule.state, reason, what, advice(reason))


def next_look(record: Record, at_once: bool, now: datetime) -> datetime | None:
    """When to look again although no event came. None: the resync is enough."""
    if at_once:
        return now
    match record.state:
        case State.STOPPING | State.STARTING if record.reason not in _WAITS_FOR_OTHERS:
            return now + timedelta(seconds=1)
        case State.STARTING | State.ERROR:
            return now + timedelta(seconds=10)
        case State.RUNNING if record.reload or record.unanswered_since:
            return now + timedelta(seconds=1)
        case _:
            queued = record.queued_reload.due if record.queued_reload else None
            return min((due for due in (queued, next_try(record, now)) if due), default=None)
