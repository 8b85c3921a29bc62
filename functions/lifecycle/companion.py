"""The one annotation of ours: on a stopped model, why it is stopped and what it was before.

It is written and removed in the PATCH that sets and removes KServe's stop annotation, because KServe copies any
annotation of a running model into its pods and so restarts them.
"""

from datetime import datetime

from pydantic import ConfigDict, Field, ValidationError

from events.model import Frozen
from events.senders import printable
from events.status import Hold
from functions.lifecycle.command_key import join_key

LONGEST_CLAIM = 253
UNSIGNED = "unsigned:"
COMPANION_ANNOTATION = "modelswitch.dev/stop"


class LastRunPod(Frozen):
    """A pod that ran when the stop was accepted; what a start will need again."""

    uid: str
    name: str
    component: str
    gpus: int
    memory: int
    grace: int
    requests: dict[str, str]
    bound: bool = True


class QueuedStart(Frozen):
    """A start that waits for the last pod. It lives here, so that losing Redis does not lose it."""

    source: str
    id: str
    actor: str
    claimed_actor: str | None = None
    reason: str | None = None
    correlation_id: str | None = None
    restore_autoscaling: bool = True
    expires_at: datetime | None = None


def _claim(actor: str, claimed: str | None) -> str | None:
    """Whom an unsigned note names; of one that is no more than a claim already, that."""
    return claimed if actor in {"unknown", "modelswitch"} and claimed else printable(actor[:LONGEST_CLAIM])


class Companion(Frozen):
    model_config = ConfigDict(frozen=True, extra="ignore")

    holds: tuple[Hold, ...]
    source: str
    command: str
    sequence: int = Field(default=0, description="Of the command that wrote here last; 0 where Redis was away.")
    unrecorded: bool = Field(default=False, description="The stop was done while Redis was away: no claim knows it.")
    also: tuple[str, ...] = Field(
        default=(), description="Stops that found this one in effect while Redis was away: no claim knows them either."
    )
    since: datetime
    correlation_id: str | None = None
    grace: int | None = Field(default=None, description="Seconds for each pod where that is not the pod's own.")
    pods: tuple[LastRunPod, ...] = ()
    endpoint: str | None = None
    prior_stop: str | None = None
    queued: QueuedStart | None = None
    signed: bool = Field(default=True, exclude=True, description="false: it bears no signature of ours.")

    def as_claim(self) -> "Companion":
        """As it counts where we have not signed it: nobody is named by it, and whom it names is a claim."""
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
    def parse(cls, text: str | None) -> "Companion | None":
        """None where there is none, or where somebody wrote something else there: then the stop counts as external."""
        if not text:
            return None
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None

    def dump(self) -> str:
        return self.model_dump_json(exclude_defaults=True)
