"""What a step asks of the outside: plain values, carried out by an interpreter, so that tests can be one too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from events.commands import ReloadRequested
from events.facts import ModelFact
from events.model import ModelRef
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Handover, Owner
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.request import Request

JsonPatch = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class PatchModel:
    """A JSON Patch on the model, guarded by tests. Answers the new resourceVersion, or raises PreconditionFailed."""

    ref: ModelRef
    operations: JsonPatch


@dataclass(frozen=True)
class PinOwners:
    """Put our finalizer on what makes the pods, so that it outlives the stop just long enough (facts: pinning)."""

    ref: ModelRef
    owners: tuple[Owner, ...]


@dataclass(frozen=True)
class EndPods:
    """As soon as an owner is terminating, DELETE its pods with this grace, and unpin it.

    The caller waits a moment only. What takes longer is done later, by then without a step; a tick goes on where
    that was lost.
    """

    ref: ModelRef
    owners: tuple[Owner, ...]
    grace: int


@dataclass(frozen=True)
class UnpinOwners:
    ref: ModelRef
    owners: tuple[Owner, ...]


@dataclass(frozen=True)
class DeletePod:
    """DELETE this very pod, so that its owner makes a new one. Gone already is as good."""

    ref: ModelRef
    name: str
    uid: str


@dataclass(frozen=True)
class MarkPod:
    """Say on this very pod how far its handover is, None to take that back; LEAVING also takes it out of its Service.

    Gone already is as good.
    """

    ref: ModelRef
    name: str
    uid: str
    handover: Handover | None
    at: datetime


Effect = PatchModel | PinOwners | EndPods | UnpinOwners | DeletePod | MarkPod


@dataclass(frozen=True)
class Claim:
    """A command arrives: its id, its place in the model's line and, where the model is free, the turn of the next in
    line.

    Answers a `Claimed`, for another command perhaps, or `InLine`.
    """

    request: Request


@dataclass(frozen=True)
class Next:
    """Take the model's turn for the next command in its line.

    Answers a `Claimed`, or None where there is nothing to begin.
    """

    ref: ModelRef


@dataclass(frozen=True)
class Load:
    """Read the record, without a claim: for hints. Answers a `Loaded`."""

    ref: ModelRef


@dataclass(frozen=True)
class Look:
    """Look at the cluster, for a command also at what stands in its way. Answers an Observation.

    `predict`: the pods, by uid, that are sent the model's canary.
    """

    ref: ModelRef
    verb: str | None = None
    pinned: bool = False
    predict: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Store what is about to be done under the claim: a crash from here on loses neither receipt nor actor.

    Temporary where the turn is gone: Redis lost it, and what comes now may have been decided by another command.
    """

    token: str
    request: Request
    intent: Intent


@dataclass(frozen=True)
class Release:
    """Give the claim back unanswered: the command can be tried again at once, with the same place in the order.

    `stays`: it stays in line, so the next who has the turn does it; else it leaves, and only comes again by itself.
    """

    token: str
    request: Request
    stays: bool = False


@dataclass(frozen=True)
class Published:
    """An event on its way out. `id` derives from what caused it, so that a repeat is the same event.

    `on_behalf_of`: the verified actor of what caused a command of our own; it travels signed.
    """

    id: str
    ref: ModelRef
    fact: ModelFact | ReloadRequested
    time: datetime
    correlation_id: str | None = None
    traceparent: str | None = None
    on_behalf_of: str | None = None


@dataclass(frozen=True)
class AuditEntry:
    """One line of a model's history; `ref` None where an event named no model that could be understood.

    `actor` is verified, `claimed_actor` what the sender says. `correlation_id` is the request that began it. `letter`
    is where the store keeps the event itself.
    """

    time: datetime
    ref: ModelRef | None
    action: str
    actor: str
    claimed_actor: str | None = None
    state: str | None = None
    previous: str | None = None
    code: str | None = None
    reason: str | None = None
    message: str | None = None
    source: str | None = None
    event_id: str | None = None
    changed: bool = False
    correlation_id: str | None = None
    letter: str | None = None


@dataclass(frozen=True)
class StepAnswer:
    """What the caller gets: an HTTP status and, over REST, a body. Stored under the command's id.

    `ahead`: it is in line, and so many commands of its model are before it.
    """

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    changed: bool = False
    ahead: int | None = None


@dataclass(frozen=True)
class Commit:
    """Everything that a step leaves behind, in one Lua call. Answers a `Committed`.

    `token` is None for a hint, `record` None where only an answer is stored. `expected` is the revision that was read.
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
    facts: tuple[Published, ...] = ()
    due: datetime | None = None
    forget: bool = False


@dataclass(frozen=True)
class Loaded:
    record: Record | None
    revision: int
    planned: Intent | None = None


@dataclass(frozen=True)
class Claimed:
    """`answer` is there when the command was answered before; `planned` when a delivery died after its plan.

    `sequence` is the command's place in the order of arrival on this model; a redelivery keeps it. `redelivered`: it
    did not get its turn when it arrived, so a later one may have been done. `request`: the command, where it is not the
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
class Committed:
    """`conflict`: the record moved on meanwhile; look again. `stale`: somebody committed a newer look already."""

    conflict: bool = False
    stale: bool = False


Ask = Effect | Claim | Next | Load | Look | Plan | Release | Commit
