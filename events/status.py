"""What is true of a model now, in the words that REST, events, command line and dashboard share."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from events.artifact import Completeness
from events.model import Frozen, Kind, Moment


class State(StrEnum):
    """`unknown`: stored by another version, in a word that this one does not know; the next look tells."""

    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    STARTING = "starting"
    ERROR = "error"
    UNKNOWN = "unknown"


URGENCY = {
    State.ERROR: 0,
    State.STOPPING: 1,
    State.UNKNOWN: 1,
    State.STARTING: 2,
    State.RUNNING: 3,
    State.STOPPED: 4,
}
"""Most urgent first."""


class HoldKind(StrEnum):
    """Why a model stays stopped. `external`: KServe's annotation was set without us. `rotation`: only until its
    last pod is gone, for a reload that replaces it. `unknown`: set by another version, for a reason that this one does
    not know.
    """

    USER = "user"
    EXTERNAL = "external"
    ROTATION = "rotation"
    UNKNOWN = "unknown"


class Hold(Frozen):
    """A reason to stay stopped. A model runs when nothing holds it."""

    kind: HoldKind
    actor: str = Field(description="Who placed it, verified; `event:SOURCE` where that was an event.")
    claimed_actor: str | None = Field(default=None, description="Who that sender says it is: only a claim.")
    reason: str | None = None
    since: Moment | None = None


_GPUS_EXACT = "false: there are more, by DRA ResourceClaims that could not be counted. Absent: true."


class PodGrace(Frozen):
    """What one pod held, and the grace that it really got: what was seen on it, else what was set for it."""

    name: str
    gpus: int
    memory: str = Field(description="A Kubernetes quantity.")
    grace_seconds: int | None = None
    server_seconds: int | None = Field(
        default=None, description="What its server gave requests in flight, where that is less (vLLM's own timeout)."
    )


class Receipt(Frozen):
    """What a stop really freed. Memory in bytes as a Kubernetes quantity; seconds from acceptance to the last pod."""

    pods: int
    gpus: int
    gpus_exact: bool = Field(default=True, exclude_if=bool, description=_GPUS_EXACT)
    memory: str = Field(description="A Kubernetes quantity.")
    seconds: float | None = Field(description="null where the stop was not ours, or its start was not seen.")
    grace: tuple[PodGrace, ...] = Field(default=(), description="What each pod held, and the grace that it really got.")
    stopped_at: Moment = Field(description="When the last pod was gone.")
    actor: str = Field(description="Who asked for the stop, verified.")
    claimed_actor: str | None = Field(default=None, description="Who that sender says it is: only a claim.")
    complete: bool = Field(default=True, description="false: pods that were never observed may also have been freed.")


class LoadedArtifact(Frozen):
    """The last artifact that a reload brought, verified."""

    uri: str
    digest: str
    complete: Completeness = Field(description="Why it was taken for complete.")
    at: Moment
    seconds: float | None = Field(default=None, description="From the accepted reload.")


class Resources(Frozen):
    gpus: int = 0
    gpus_exact: bool = Field(default=True, exclude_if=bool, description=_GPUS_EXACT)
    memory: str = "0Gi"


class Endpoints(Frozen):
    """`inference` of a stopped model is the one that it had."""

    inference: str | None = None
    available: bool = False


class ModelStatus(Frozen):
    name: str
    namespace: str
    kind: Kind
    state: State
    reason: str | None = Field(default=None, description="One CamelCase word, stable.")
    message: str | None = Field(default=None, description="For a person, with the next action.")
    desired: Literal["running", "stopped"]
    last_transition: Moment | None = None
    resource_allocation: Resources
    endpoints: Endpoints
    holds: tuple[Hold, ...] = ()
    queued: bool = Field(default=False, description="A start is waiting for the last pod to go.")
    receipt: Receipt | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    artifact: LoadedArtifact | None = None
    observed_at: Moment
