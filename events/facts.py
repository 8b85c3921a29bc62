"""What happened to a model. Published after it is true, never before."""

from typing import ClassVar, Literal

from pydantic import Field

from events.model import Frozen
from events.status import Receipt


class Fact(Frozen):
    type: ClassVar[str]

    actor: str = Field(
        description="Who asked, verified: a REST user's name; `event:SOURCE` of an event; `external:NAME` where it was done "
        "outside modelswitch; `unknown` where nothing proves it."
    )
    claimed_actor: str | None = Field(
        default=None, description="Who the sender says it is or acts for. Only a claim: nothing proves it."
    )
    reason: str | None = Field(default=None, description="Why, in the words of who asked.")


class ModelStopping(Fact):
    """The cluster has accepted a stop; pods are still there."""

    type: ClassVar[str] = "dev.modelswitch.model.stopping.v1"

    pods: int = Field(description="Pods that were there when the stop was accepted.")
    grace: str | None = Field(default=None, description="The grace wanted for each pod; null: each pod's own.")


class ModelStopped(Fact):
    """No pod is left."""

    type: ClassVar[str] = "dev.modelswitch.model.stopped.v1"

    receipt: Receipt = Field(description="What was freed.")


class ModelStarting(Fact):
    """The cluster has accepted a start."""

    type: ClassVar[str] = "dev.modelswitch.model.starting.v1"


class ModelStarted(Fact):
    """The model answers."""

    type: ClassVar[str] = "dev.modelswitch.model.started.v1"

    seconds: float | None = Field(default=None, description="From the accepted start; null where that was not seen.")


class ModelReloaded(Fact):
    """Every pod that serves has loaded the artifact, and answers for the model."""

    type: ClassVar[str] = "dev.modelswitch.model.reloaded.v1"

    uri: str = Field(description="The artifact's.")
    digest: str = Field(description="Which content of it.")
    seconds: float | None = Field(description="From the accepted reload; null where that was not seen.")


class ModelFailed(Fact):
    """A command that can't be done, or a model that is in error. The code is the one that REST answers with."""

    type: ClassVar[str] = "dev.modelswitch.model.failed.v1"

    code: str = Field(description="One CamelCase word, stable.")
    message: str = Field(description="What happened, for a person.")
    next_action: str = Field(description="What to do about it.")
    during: Literal["stop", "start", "reload", "run"] = Field(
        description="run: the model was not being stopped, started or reloaded."
    )


ModelFact = ModelStopping | ModelStopped | ModelStarting | ModelStarted | ModelReloaded | ModelFailed
