"""What is remembered of a model between two looks. Frozen: every transition makes a new one."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import AliasChoices, ConfigDict, Field

from events.artifact import Completeness, Strategy
from events.commands import Verb
from events.model import Frozen, ModelRef, Moment
from events.status import Endpoints, Hold, LoadedArtifact, ModelStatus, Receipt, Resources, State
from functions.lifecycle.heard import Heard, HeardMember
from functions.lifecycle.observation import Pod
from functions.lifecycle.prediction import SmokeTestTry
from functions.lifecycle.quantity import format_memory
from functions.lifecycle.reasons import Reason

Desired = Literal["running", "stopped"]


class SeenPod(Frozen):
    """A pod that was seen, kept until the receipt counts it.

    `given` is the grace that Kubernetes was seen to give it, `own` that of its spec, which a plain stop gives.
    `server` is for how long its server goes on with requests in flight, whatever the grace.
    """

    name: str
    gpus: int
    memory: int
    gpus_exact: bool = True
    given: int | None = None
    own: int | None = None
    server: int | None = None


class Run(Frozen):
    """A stop or a start in progress, from its acceptance on."""

    since: Moment | None
    actor: str
    claimed_actor: str | None = None
    reason: str | None = None
    key: str = Field(
        description="What its events' ids derive from: the command's source and id, or the external change."
    )
    correlation_id: str | None = None
    ours: bool = True
    grace: int | None = None


class Autoscaler(Frozen):
    """A start without the autoscaler replaced its annotation; this is what it said before."""

    prior: str | None


class Wanted(Frozen):
    """An artifact that a reload is for. `value` is what the model's digest annotation says of it.

    `before`: pods that are to be replaced one at a time, by uid; none where the annotation does that.
    """

    uri: str
    digest: str
    value: str
    complete: Completeness
    strategy: Strategy = Strategy.ROLLING
    before: tuple[str, ...] = ()


class Reload(Frozen):
    """A reload in progress, from its acceptance on. `new_pods`: a pod that it brought was seen, and the history says so."""

    run: Run
    wanted: Wanted
    new_pods: bool = False

    def made(self, pod: Pod) -> bool:
        """Whether the pod is one that it brought."""
        before = self.wanted.before
        return pod.uid not in before if before else pod.digest == self.wanted.value


class QueuedReload(Frozen):
    """A reload that waits, so that many writes in a short time end in one more reload. `due`: when it is done at last.

    `sequence`: its place among the commands of its model, so that one that comes again late does not pass for the last.
    """

    run: Run
    wanted: Wanted
    due: Moment
    sequence: int = 0


class Saved(Frozen):
    """What stops saved that have ended again. `since`: when the first of them had freed everything."""

    gpu_seconds: float = 0
    memory_byte_seconds: int = 0
    stops: int = 0
    since: Moment


_A_STEP_ENDS = timedelta(seconds=15)


class Intent(Frozen):
    """What a command is about to do, stored before it is done: a crash then loses neither actor nor reason."""

    verb: Verb
    at: Moment
    run: Run
    sequence: int = 0
    by_event: bool = Field(default=False, description="A broker delivers it again, whatever happens.")
    autoscaler: Autoscaler | None = None
    over: str | None = Field(default=None, description="Of a start: the stop that it is to remove.")
    wanted: Wanted | None = Field(default=None, description="Of a reload: what is to be loaded.")

    def may_be_at_work(self, now: datetime) -> bool:
        """Whether the step that stored it may not have ended yet: a step is given up after 10 s."""
        return now - self.at < _A_STEP_ENDS


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
    since: Moment | None = None
    desired: Desired = "running"
    gpus: int = 0
    gpus_exact: bool = True
    memory: int = 0
    endpoint: str | None = None
    available: bool = False
    holds: tuple[Hold, ...] = ()
    queued: bool = False
    pods: dict[str, SeenPod] = Field(default_factory=dict, description="By uid; of this run, gone ones included.")
    stop: Run | None = None
    start: Run | None = None
    receipt: Receipt | None = None
    saved: Saved | None = Field(
        default=None, description="By earlier stops: the present one is counted by its receipt."
    )
    labels: dict[str, str] = Field(default_factory=dict)
    autoscaler: Autoscaler | None = None
    sequence: int = Field(default=0, description="Of the latest command that is known to have been done.")
    effective: str | None = Field(default=None, description="The last command that was seen in effect on the cluster.")
    unrecorded: tuple[str, ...] = Field(
        default=(), description="Stops that were done while Redis was away, the latest last: no claim knows their ids."
    )
    audited: tuple[str, ...] = Field(
        default=(),
        description="Of which commands the history has the entry already, the latest last: a retry adds none.",
    )
    left_behind: str | None = Field(
        default=None, description="The stop note that a start outside modelswitch did not remove."
    )
    unanswered_since: Moment | None = Field(
        default=None, description="Since when ready servers take connections and say nothing."
    )
    heard: dict[str, Heard] = Field(default_factory=dict, description="By pod: what it said when it was last asked.")
    heard_members: dict[str, HeardMember] = Field(
        default_factory=dict, description="Of a graph, by subject: how its members were when they were last asked."
    )
    smoke_tests: dict[str, SmokeTestTry] = Field(
        default_factory=dict,
        validation_alias=AliasChoices("smoke_tests", "canaries"),  # the name that the version before wrote
        description="By pod: its result of the smoke test that the model's owner wants.",
    )
    artifacts: tuple[str, ...] = Field(default=(), description="The storage URIs that it loads from.")
    digest: str | None = Field(default=None, description="What the model's digest annotation says.")
    reload: Reload | None = None
    queued_reload: QueuedReload | None = None
    reloads_since: Moment | None = Field(
        default=None, description="When the reload was accepted that makes later ones wait."
    )
    loaded: LoadedArtifact | None = None
    start_seconds: tuple[float, ...] = Field(
        default=(), description="What its latest starts took, the last one last; time without a node not counted."
    )
    observed_at: Moment | None = None

    @property
    def can_start(self) -> bool:
        """Whether the start of a model that is stopped waits for nothing: no pod is left, or KServe
        ignores the stop.
        """
        return self.state is State.STOPPED or self.reason in {Reason.STOP_IGNORED, Reason.UNREADABLE}

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
            resource_allocation=Resources(
                gpus=self.gpus, gpus_exact=self.gpus_exact, memory=format_memory(self.memory)
            ),
            endpoints=Endpoints(inference=self.endpoint, available=self.available),
            holds=self.holds,
            queued=self.queued,
            receipt=self.receipt,
            labels=self.labels,
            artifact=self.loaded,
            observed_at=self.observed_at,
        )
