"""The one annotation of ours: on a stopped model, why it is stopped and what it was before.

It is written and removed in the PATCH that sets and removes KServe's stop annotation, because KServe copies any
annotation of a running model into its pods and so restarts them.
"""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationError

from events.model import Frozen
from events.senders import printable
from events.status import Hold
from functions.lifecycle.command_key import join_key
from functions.lifecycle.moments import in_bounds
from functions.lifecycle.unusable import Unusable

LONGEST_CLAIM = 253
UNSIGNED = "unsigned:"
STOP_NOTE_ANNOTATION = "modelswitch.dev/stop"
_LONGEST = 256 * 1024
"""Characters that Kubernetes takes for all annotations of an object together."""


# A user who may patch the model may write anything here: the bounds are what our own stops stay within by far.
_Word = Annotated[str, StringConstraints(max_length=8 * 1024)]
_Moment = Annotated[datetime, AfterValidator(in_bounds)]
_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Seconds = Annotated[int, Field(ge=0, le=2**31 - 1)]


def _with_bounds(hold: Hold) -> Hold:
    """A hold is part of the contract, which has no such bounds."""
    if max(len(hold.actor), len(hold.claimed_actor or ""), len(hold.reason or "")) > 8 * 1024:
        raise ValueError("an actor and a reason of at most 8192 characters")
    return hold.model_copy(update={"since": in_bounds(hold.since)}) if hold.since else hold


_Hold = Annotated[Hold, AfterValidator(_with_bounds)]


class LastRunPod(Frozen):
    """A pod that ran when the stop was accepted; what a start will need again."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    uid: _Word
    name: _Word
    component: _Word
    gpus: _Number
    memory: _Number
    grace: _Seconds
    requests: Annotated[dict[_Word, _Word], Field(max_length=256)]
    bound: bool = True
    gpus_exact: bool = True


class QueuedStart(Frozen):
    """A start that waits for the last pod. It lives here, so that losing Redis does not lose it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: _Word
    id: _Word
    actor: _Word
    claimed_actor: _Word | None = None
    reason: _Word | None = None
    correlation_id: _Word | None = None
    restore_autoscaling: bool = True
    expires_at: _Moment | None = None


def _claim(actor: str, claimed: str | None) -> str | None:
    """Whom an unsigned note names; of one that is no more than a claim already, that."""
    return claimed if actor in {"unknown", "modelswitch"} and claimed else printable(actor[:LONGEST_CLAIM])


class StopNote(Frozen):
    model_config = ConfigDict(frozen=True, extra="ignore")

    holds: Annotated[tuple[_Hold, ...], Field(max_length=64)]
    source: _Word
    command: _Word
    sequence: _Number = Field(default=0, description="Of the command that wrote here last; 0 where Redis was away.")
    unrecorded: bool = Field(default=False, description="The stop was done while Redis was away: no claim knows it.")
    also: Annotated[tuple[Annotated[str, StringConstraints(max_length=16 * 1024 + 1)], ...], Field(max_length=64)] = (
        Field(
            default=(),
            description="Stops that found this one in effect while Redis was away: no claim knows them either.",
        )
    )
    since: _Moment
    correlation_id: _Word | None = None
    grace: _Seconds | None = Field(default=None, description="Seconds for each pod where that is not the pod's own.")
    pods: Annotated[tuple[LastRunPod, ...], Field(max_length=1000)] = ()
    endpoint: _Word | None = None
    prior_stop: _Word | None = None
    queued: QueuedStart | None = None
    signed: bool = Field(default=True, exclude=True, description="false: it bears no signature of ours.")

    def as_claim(self) -> "StopNote":
        """As it counts where we have not signed it: it names no actor, and whom it names is a claim."""
        queued = self.queued and self.queued.model_copy(
            update={
                "source": f"{UNSIGNED}{self.queued.source.removeprefix(UNSIGNED)}",
                "actor": "modelswitch",
                "claimed_actor": _claim(self.queued.actor, self.queued.claimed_actor),
            }
        )
        holds = tuple(
            hold.model_copy(update={"actor": "unknown", "claimed_actor": _claim(hold.actor, hold.claimed_actor)})
            for hold in self.holds
        )
        return self.model_copy(update={"holds": holds, "queued": queued, "signed": False})

    @property
    def key(self) -> str:
        """The command that the stop is of."""
        return join_key(self.source, self.command)

    @classmethod
    def parse(cls, text: str | None) -> "StopNote | Unusable | None":
        """None where there is none, Unusable where something else was written there: then the stop
        counts as external.
        """
        if not text:
            return None
        if len(text) > _LONGEST:
            return _unusable(f"{len(text)} characters long", f"at most {_LONGEST}")
        try:
            return cls.model_validate_json(text, extra="ignore")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part)[:60] for part in first["loc"][:6])
            wrong = first["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)[:150]
            return _unusable(f"no note of ours ({place or 'it'}: {wrong})", "what a stop writes there")

    def dump(self) -> str:
        return self.model_dump_json(exclude_defaults=True)


def _unusable(found: str, expected: str) -> Unusable:
    return Unusable(f"the annotation {STOP_NOTE_ANNOTATION}", found, expected)
