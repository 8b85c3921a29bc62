"""What is remembered of a model between two looks. Frozen: every transition makes a new one."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from events.commands import Verb
from events.model import Frozen, ModelRef
from events.status import Endpoints, Hold, ModelStatus, Receipt, Resources, State
from functions.lifecycle.quantity import format_memory

Desired = Literal["running", "stopped"]


class SeenPod(Frozen):
    """A pod that was seen, kept until the receipt counts it.

    `given` is the grace that Kubernetes was seen to give it, `own` that of its spec, which a plain stop gives.
    """

    name: str
    gpus: int
    memory: int
    given: int | None = None
    own: int | None = None


class Run(Frozen):
    """A stop or a start under way, from its acceptance on."""

    since: datetime | None
    actor: str
    reason: str | None = None
    key: str = Field(
        description="What its facts' ids derive from: the command's source and id, or the external change."
    )
    correlation_id: str | None = None
    ours: bool = True
    grace: int | None = None


class Autoscaler(Frozen):
    """A start without the autoscaler replaced its annotation; this is what it said before."""

    prior: str | None


class Intent(Frozen):
    """What a command is about to do, stored before it is done: a crash then loses neither actor nor reason."""

    verb: Verb
    at: datetime
    run: Run
    sequence: int = 0
    by_event: bool = Field(default=False, description="A broker delivers it again, whatever happens.")
    autoscaler: Autoscaler | None = None
    over: str | None = Field(default=None, description="Of a start: the stop that it is to remove.")


class Record(Frozen):
    """`version` and `pods_version` are the resourceVersions of the look that it rests on: an older look changes nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ref: ModelRef
    uid: str = ""
    version: int = 0
    pods_version: int = 0
    state: State | None = None
    reason: str | None = None
    message: str | None = None
    since: datetime | None = None
    desired: Desired = "running"
    gpus: int = 0
    memory: int = 0
    endpoint: str | None = None
    available: bool = False
    holds: tuple[Hold, ...] = ()
    queued: bool = False
    pods: dict[str, SeenPod] = Field(default_factory=dict, description="By uid; of this run, gone ones included.")
    stop: Run | None = None
    start: Run | None = None
    receipt: Receipt | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    autoscaler: Autoscaler | None = None
    sequence: int = Field(default=0, description="Of the latest command that is known to have been done.")
    effective: str | None = Field(default=None, description="The last command that was seen in effect on the cluster.")
    unrecorded: tuple[str, ...] = Field(
        default=(), description="Stops that were done while Redis was away, the latest last: no claim knows their ids."
    )
    left_behind: str | None = Field(
        default=None, description="The companion that somebody else's start did not remove."
    )
    observed_at: datetime | None = None

    def status(self) -> ModelStatus:
        """What REST shows. Only for a record that has looked at least once."""
        if self.state is None or self.observed_at is None:
            raise ValueError(f"{self.ref} has not been looked at yet")
        return ModelStatus(
            name=self.ref.name,
            namespace=self.ref.namespace,
            kind=self.ref.kind,
            state=self.state,
            reason=self.reason,
            message=self.message,
            desired=self.desired,
            last_transition=self.since,
            resource_allocation=Resources(gpus=self.gpus, memory=format_memory(self.memory)),
            endpoints=Endpoints(inference=self.endpoint, available=self.available),
            holds=self.holds,
            queued=self.queued,
            receipt=self.receipt,
            labels=self.labels,
            observed_at=self.observed_at,
        )
