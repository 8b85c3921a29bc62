"""What happened to a model. Published after it is true, never before."""

from typing import ClassVar, Literal

from pydantic import Field

from events.model import Frozen
from events.status import Receipt


class Fact(Frozen):
    type: ClassVar[str]

    actor: str = Field(description="Who asked; `external:NAME` where it was done without us.")
    reason: str | None = None


class ModelStopping(Fact):
    """The cluster has accepted a stop; pods are still there."""

    type: ClassVar[str] = "dev.modelswitch.model.stopping.v1"

    pods: int
    grace: str | None = Field(default=None, description="The grace wanted for each pod; None: each pod's own.")


class ModelStopped(Fact):
    """No pod is left."""

    type: ClassVar[str] = "dev.modelswitch.model.stopped.v1"

    receipt: Receipt


class ModelStarting(Fact):
    """The cluster has accepted a start."""

    type: ClassVar[str] = "dev.modelswitch.model.starting.v1"


class ModelStarted(Fact):
    """The model runs."""

    type: ClassVar[str] = "dev.modelswitch.model.started.v1"

    seconds: float | None = Field(default=None, description="From the accepted start; None where that was not seen.")


class ModelFailed(Fact):
    """A command that can't be done, or a model that is in error. The code is the one that REST answers with."""

    type: ClassVar[str] = "dev.modelswitch.model.failed.v1"

    code: str
    message: str
    next_action: str
    during: Literal["stop", "start", "run"]


ModelFact = ModelStopping | ModelStopped | ModelStarting | ModelStarted | ModelFailed
