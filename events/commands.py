"""The commands for a model: the data of a command event, and the body of the same REST request."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from events.artifact import Artifact, Strategy
from events.duration import DURATION_SCHEMA, Duration
from events.model import Frozen

MAX_GRACE_SECONDS = 3600.0
Grace = Annotated[Duration, Field(ge=1, le=MAX_GRACE_SECONDS), WithJsonSchema(DURATION_SCHEMA)]


class Command(Frozen):
    """`actor` and `reason` are what the sender says of itself: shown as a claim, never trusted."""

    type: ClassVar[str]

    actor: str | None = Field(
        default=None, max_length=253, description="Who the sender says it is or acts for: shown as a claim."
    )
    reason: str | None = Field(
        default=None, max_length=1024, description="Reason (shown on the model's page and in the audit log)."
    )


class StopRequested(Command):
    """Stop the model: no pod left, no request wakes it, configuration and generation untouched."""

    type: ClassVar[str] = "dev.modelswitch.model.stop-requested.v1"

    graceful: bool = Field(default=True, description="false: stop at once and abort requests in flight.")
    timeout: Grace | None = Field(
        default=None,
        description="How long requests in flight may take: each pod's grace period, 1s to 1h. Default: at most 30s.",
    )
    promote_canary: bool = Field(
        default=False, description="Accept that the next start sends all traffic to the canary (Knative mode)."
    )


class StartRequested(Command):
    """Start the model as it was."""

    type: ClassVar[str] = "dev.modelswitch.model.start-requested.v1"

    restore_autoscaling: bool = Field(
        default=True, description="false: start without the autoscaler, where KServe can do that without a new spec."
    )


class ReloadRequested(Command):
    """Have the model load an artifact, once per digest. A stopped model stays stopped, and starts with it."""

    type: ClassVar[str] = "dev.modelswitch.model.reload-requested.v1"

    artifact: Artifact = Field(description="Which one: it must be the model's own.")
    strategy: Strategy = Field(
        default=Strategy.ROLLING,
        description="`rolling`: the old pod serves until the new one has loaded. `replace`: stop, no pod left, start.",
    )
    settle: Grace | None = Field(
        default=None, description="Wait this long for more parts of the artifact; each new part restarts the wait."
    )


ModelCommand = StopRequested | StartRequested | ReloadRequested
Verb = Literal["stop", "start", "reload"]
