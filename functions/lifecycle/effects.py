"""What a decision wants done, and what it leaves behind: plain values. `Ports` carries them out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from events.commands import ReloadRequested
from events.facts import ModelFact
from events.model import ModelRef
from functions.lifecycle.observation import Handover, Owner

JsonPatch = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class PatchModel:
    """A JSON Patch on the model, guarded by tests. Answers the new resourceVersion, or raises PreconditionFailed."""

    ref: ModelRef
    operations: JsonPatch


@dataclass(frozen=True)
class PinOwners:
    """Put our finalizer on what makes the pods, so that it outlives the stop just long enough (ADR 5)."""

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
class Published:
    """An event on its way out. `id` derives from what caused it, so that a repeat is the same event.

    `on_behalf_of`: the verified actor of what caused a command of our own; it travels signed.
    """

    id: str
    ref: ModelRef
    event: ModelFact | ReloadRequested
    time: datetime
    correlation_id: str | None = None
    traceparent: str | None = None
    on_behalf_of: str | None = None


class Action(StrEnum):
    """What an entry of the history is about: a command, a change that was observed, or an event that could not be used.

    OBSERVED is shown only, and stands in no history. UNREADABLE: the entry was written by another version.
    """

    STOP = "stop"
    START = "start"
    RELOAD = "reload"
    RELOAD_PODS = "reload-pods"
    RELOADED = "reloaded"
    RELOAD_FAILED = "reload-failed"
    EXPIRED = "expired"
    ADOPTED = "adopted"
    STATE = "state"
    DELETED = "deleted"
    OBSERVED = "observed"
    ARTIFACT_WRITTEN = "artifact-written"
    DEAD_LETTER = "dead-letter"
    POISON = "poison"
    NOT_PUBLISHED = "not-published"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class AuditEntry:
    """One line of a model's history; `ref` None where an event named no model that could be understood.

    `actor` is verified, `claimed_actor` what the sender says. `correlation_id` is the request that began it. `letter`
    is where the store keeps the event itself. `action` is an Action, or a word of another version.
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


class Handled(StrEnum):
    """What became of an event or a command, in a word, for counters and logs; a refusal has its Code there."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    IN_LINE = "in line"
    IGNORED = "ignored"
    LOOKED = "looked"
    TICKED = "ticked"
    RECORDED = "recorded"
    RELOADS_REQUESTED = "reloads requested"
    NO_MODEL = "no model loads it"
    DISCONNECTED = "Disconnected"


@dataclass(frozen=True)
class StepAnswer:
    """What the caller gets: an HTTP status and, over REST, a body. Stored under the command's id.

    `ahead`: it is in line, and so many commands of its model are before it. `last`: none of its model is behind it.
    """

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    changed: bool = False
    ahead: int | None = None
    last: bool = False
