"""What a reconcile asks of the outside, as typed calls.

Production implements `Ports` over the adapters (functions/reconciler.py); the exhaustive search passes a model of the
world that suspends the reconcile at each call.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from events.commands import Verb
from events.model import ModelRef
from functions.lifecycle.effects import AuditEntry, Effect, Published, StepAnswer
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Observation
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.request import Request


@dataclass(frozen=True)
class Loaded:
    record: Record | None
    revision: int
    planned: Intent | None = None


@dataclass(frozen=True)
class Claimed:
    """`answer` is there when the command was answered before; `planned` when a delivery died after its plan.

    `sequence` is the command's place in the order of arrival on this model; a redelivery keeps it. `redelivered`: it
    did not get the lease when it arrived, so a later one may have been done. `request`: the command, where it is not the
    caller's.
    """

    now: datetime
    token: str
    record: Record | None
    revision: int
    first_seen: datetime
    sequence: int = 0
    redelivered: bool = False
    answer: StepAnswer | None = None
    planned: Intent | None = None
    request: Request | None = None


@dataclass(frozen=True)
class InLine:
    """Another command of the model is at work. This one has its place; `ahead` are before it."""

    ahead: int


@dataclass(frozen=True)
class Commit:
    """Everything that a reconcile leaves behind.

    `token` is None for a notification, `record` None where only an answer is stored. `expected` is the revision that was read.
    `refusal` is kept for the next request with the same id: the command's own caller waits no longer.
    """

    ref: ModelRef
    expected: int
    record: Record | None
    token: str | None = None
    request: Request | None = None
    answer: StepAnswer | None = None
    refusal: StepError | None = None
    audit: tuple[AuditEntry, ...] = ()
    events: tuple[Published, ...] = ()
    due: datetime | None = None
    forget: bool = False


@dataclass(frozen=True)
class Committed:
    """`conflict`: the record changed; observe again. `stale`: a newer observation was committed already. `last`: no
    command is left in the model's line.
    """

    conflict: bool = False
    stale: bool = False
    last: bool = False


class Ports(Protocol):
    """Any call may raise StepError: StoreUnavailable, ClusterUnavailable, and Temporary where the time is up."""

    async def claim(self, request: Request) -> Claimed | InLine:
        """A command arrives: its id, its place in the model's line and, if the model is free, the lease for the next
        command in that line, which may be another one.

        Raises:
            Refused: the id belongs to another command, or the command was refused before.
            Temporary: the line is full.

        """

    async def claim_next(self, ref: ModelRef) -> Claimed | None:
        """The model's lease for the next command in its line; None if the line is empty or the lease is taken."""

    async def load(self, ref: ModelRef) -> Loaded:
        """The record, without a lease: for notifications."""

    async def observe(
        self, ref: ModelRef, *, verb: Verb | None = None, pinned: bool = False, predict: tuple[str, ...] = ()
    ) -> Observation:
        """The object and its pods; for a command also what stands in its way.

        `pinned`: look for pins although no stop shows one. `predict`: uids of the pods that get the smoke test.
        """

    async def save_intent(self, token: str, request: Request, intent: Intent) -> None:
        """Stores what is about to be done under the lease: a crash from here on loses neither receipt nor actor.

        Raises:
            Temporary: the lease is gone, because Redis lost it; another command may have been decided since.

        """

    async def apply(self, effect: Effect) -> int | None:
        """Carries out one effect; returns the model's new resourceVersion after a PATCH of the model.

        Raises:
            PreconditionFailed: the object changed since it was observed.

        """

    async def commit(self, commit: Commit) -> Committed:
        """Writes everything that a reconcile leaves behind, in one Lua call."""

    async def release(self, token: str, request: Request, *, stays: bool) -> None:
        """Gives the lease back without an answer.

        `stays`: the command stays in line and the next holder of the lease does it; otherwise it leaves the line, and
        keeps its place in the order if it is sent again.
        """
