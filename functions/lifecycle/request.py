"""A command on its way through a step: what is wanted, of which model, by whom, under which id."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from events.commands import ModelCommand, ReloadRequested, StartRequested, StopRequested, Verb
from events.model import ModelRef
from functions.lifecycle.command_key import join_key
from functions.lifecycle.record import Run


@dataclass(frozen=True)
class Request:
    """Channel, actor, model, source and id together name the command: the same again gets the same answer.

    `actor` is the verified identity of who asks; `claimed_actor` what the sender says of itself.
    """

    ref: ModelRef
    command: ModelCommand
    source: str
    id: str
    actor: str
    claimed_actor: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    expires_at: datetime | None = None
    by_event: bool = False
    queue: bool = False
    sequence: int = 0
    redelivered: bool = False
    seen_as: str | None = None
    """Where the store keeps what became of it, of a command that came out of a line: another version may have put it
    there.
    """

    first_seen: datetime | None = field(default=None, compare=False)
    """When it arrived, by the store's clock."""

    def claimed(self, sequence: int, *, redelivered: bool, first_seen: datetime | None = None) -> "Request":
        """The same command with its place in the order."""
        return replace(self, sequence=sequence, redelivered=redelivered, first_seen=first_seen)

    @property
    def channel(self) -> Literal["rest", "event"]:
        return "event" if self.by_event else "rest"

    @property
    def verb(self) -> Verb:
        match self.command:
            case StopRequested():
                return "stop"
            case StartRequested():
                return "start"
            case ReloadRequested():
                return "reload"

    @property
    def key(self) -> str:
        return join_key(self.source, self.id)

    def run(self, since: datetime) -> Run:
        """What a record remembers of it while it is in progress."""
        return Run(
            since=since,
            actor=self.actor,
            claimed_actor=self.claimed_actor,
            reason=self.command.reason,
            key=self.key,
            correlation_id=self.correlation_id,
        )
