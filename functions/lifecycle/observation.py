"""What one look at the cluster showed: the model's object, its pods, and what stands in the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from events.model import ModelRef
from events.status import State
from functions.lifecycle.errors import Code
from functions.lifecycle.prediction import Prediction
from functions.lifecycle.stop_note import StopNote
from functions.lifecycle.unusable import Unusable

ANY_PATH = "*"
"""In `Observation.bucketless`: of what the model loads not even the path is known without a pod."""


class Mode(StrEnum):
    """How KServe deploys the model (`status.deploymentMode`, its legacy names included)."""

    STANDARD = "Standard"
    KNATIVE = "Knative"
    MODEL_MESH = "ModelMesh"


class Answer(StrEnum):
    """What a condition says; UNKNOWN also where it is absent but others are there."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Trouble:
    """Why a pod or a model does not come up, in one CamelCase word and one sentence.

    `held`: it is held back on purpose, by a queue for example: it has not failed, and no deadline runs. `ended`: Kubernetes
    ended the pod itself, which another one is to replace.
    """

    reason: str
    message: str
    held: bool = False
    ended: bool = False


class Answered(StrEnum):
    """What a pod's model server said when it was asked for its model.

    ASLEEP: it has its model, and was put to sleep (vLLM): it answers no prediction until a client wakes it.
    UNANSWERED: it took the connection and said nothing. UNASKABLE: its protocol or the network does not allow the question.
    """

    LOADED = "loaded"
    ASLEEP = "asleep"
    MISSING = "missing"
    LOADING = "loading"
    UNANSWERED = "unanswered"
    UNASKABLE = "unaskable"


@dataclass(frozen=True)
class PodAnswer:
    """`detail` is for a person: what was asked, and what came back.

    `own_protocol`: it was reached, and answers HTTP in a way that says nothing of a model: only a smoke test can tell.
    `model_path`: the path of the V1 or V2 request about one model that its server answered; "" if there is none.
    `forbidden`: the API server does not let us connect to the pod.
    `predict_path`: where that protocol takes a prediction for the model; "" if that is not known.
    `port`: where it said so, 0 for the first that its container declares. `tls`: it said so by TLS.
    `heard_at`: when it said so, None in this very look.
    """

    what: Answered
    detail: str = ""
    own_protocol: bool = False
    heard_at: datetime | None = None
    model_path: str = ""
    predict_path: str = ""
    forbidden: bool = False
    port: int = 0
    tls: bool = False


@dataclass(frozen=True)
class Canary:
    """A further predictor with a share of the traffic (`spec.canary`, Standard mode). `ready` None: KServe does not say."""

    name: str
    percent: int
    ready: bool | None = None

    def __str__(self) -> str:
        if not self.percent:
            return f"the canary {self.name} gets no traffic"
        if self.ready is False:
            return f"the canary {self.name} is not ready and gets none of its {self.percent}% of the traffic"
        return f"the canary {self.name} gets {self.percent}% of the traffic"


@dataclass(frozen=True)
class Member:
    """A model that a graph sends requests to.

    `unverified`: it is running as far as KServe says, and could not be asked.

    `heard_at`: when it was found so, None in this very look.
    """

    ref: ModelRef
    state: State
    message: str | None = None
    unverified: bool = False
    heard_at: datetime | None = None


@dataclass(frozen=True)
class Owner:
    """The ReplicaSet or StatefulSet that makes a pod again when it goes."""

    kind: str
    name: str
    uid: str


class Handover(StrEnum):
    """How far a pod has come that a rolling reload replaces.

    KEPT: it serves until the new ones do. LEAVING: it is out of its Service, and ends when its last requests are answered.
    """

    KEPT = "kept"
    LEAVING = "leaving"


@dataclass(frozen=True)
class Pod:
    """One pod of the model. `requests` as Kubernetes quantities by resource name, init containers considered.

    `serves`: it holds the model, unlike a transformer, a router or the worker of a group. `answer` is None where it was
    not asked. `digest` is the artifact that it was made for, as far as a reload said so. `prediction` is what the smoke test
    brought, where this look sent it. `restarts`: of its containers, by the kubelet's count. `deleting`: it is on its way out:
    terminating, or LEAVING since `left_at`. `ends_by`: when its grace ends, where it is terminating. `finalizers` keep it,
    also when its processes have ended. `revision` is Knative's. `gpus_exact` False: it has devices by ResourceClaims that
    could not be counted. `scheduled_at`: when it got its node. `startup_seconds`: what its startup probe allows, init
    containers not counted; `loading` what of it shows that it still loads. `server_seconds`: for how long from its deletion
    on its server goes on with requests in flight, whatever the grace, where the pod says so.
    """

    uid: str
    name: str
    component: str
    ready: bool
    node: str | None
    gpus: int
    memory: int
    requests: Mapping[str, str]
    grace: int
    deleting: bool
    deletion_grace: int | None
    owner: Owner | None
    trouble: Trouble | None = None
    finished: bool = False
    serves: bool = False
    answer: PodAnswer | None = None
    created: datetime | None = None
    ready_since: datetime | None = None
    digest: str | None = None
    crashed: str | None = None
    restarts: int = 0
    prediction: Prediction | None = None
    handover: Handover | None = None
    left_at: datetime | None = None
    ends_by: datetime | None = None
    revision: str | None = None
    finalizers: tuple[str, ...] = ()
    gpus_exact: bool = True
    scheduled_at: datetime | None = None
    startup_seconds: float = 0
    loading: str | None = None
    server_seconds: int | None = None
    unusable: tuple[Unusable, ...] = ()

    @property
    def terminating(self) -> bool:
        """Kubernetes is ending it."""
        return self.deletion_grace is not None

    @property
    def holds_resources(self) -> bool:
        """Bound to a node and not ended: the scheduler counts it, terminating or not."""
        return self.node is not None and not self.finished


@dataclass(frozen=True)
class Pin:
    """A ReplicaSet or StatefulSet that carries our finalizer."""

    owner: Owner
    terminating: bool


@dataclass(frozen=True)
class Blocker:
    """Why a stop or a reload would silently do nothing, or do harm; and the way out.

    `only_stops`: a reload that stops nothing can be done all the same.
    """

    code: Code
    message: str
    next_action: str
    only_stops: bool = False


@dataclass(frozen=True)
class ScaledDown:
    """A workload of the model that is to have no pod. `by` is the field manager that scaled it, None where that is not
    recorded; `scaler` what the model's owner lets scale it (`keda`, `external`), None where that is nothing.
    """

    workload: str
    by: str | None = None
    scaler: str | None = None


@dataclass(frozen=True)
class NarrowClaim:
    """A PersistentVolumeClaim of its pods that only one node may use at a time, or with `one_pod` one pod."""

    name: str
    one_pod: bool = False


@dataclass(frozen=True)
class QuotaShortage:
    """One resource of one ResourceQuota that a start would exceed. Quantities as Kubernetes writes them."""

    quota: str
    resource: str
    requested: str
    used: str
    limited: str


@dataclass(frozen=True)
class Observation:
    """One look. `version` and `pods_version` are resourceVersions of the object and of the list of its pods.

    `routed`: KServe has a route to it, also while it is not all ready. `artifacts` are the storage URIs it loads from,
    `bucketless` the paths that it loads from buckets which only a Secret names, where no pod shows which. `recreated`
    are the components whose old pods must be gone before new ones are made. `wanted` says how many pods an owner is to
    have, by uid, where one of them is KEPT and the look asked. `canaries` share its traffic. `narrow_claims` are looked for
    before a reload. `components` are the parts that requests need, by their label, as far as the spec tells. `traffic` is
    what percentage of the requests each revision gets in Knative mode, and `failed_revision` the newest one, where it fails
    beside one that is ready. `suspended`: `spec.suspend` is true, so KServe makes no pods. `scaled_down` is looked for where
    a model that is to run has no pod. `stop_blocker` is why KServe won't act on a stop, as far as the object tells;
    `others_moved` when it last acted on another model, asked where a stop takes long. `unusable` are fields of the object
    and its pods that
    can't be read, and count as absent; `unusable_note` is our annotation on it, where that is one of them.
    """

    ref: ModelRef
    observed_at: datetime
    exists: bool
    uid: str = ""
    version: int = 0
    pods_version: int = 0
    generation: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] | None = None
    deleting: bool = False
    mode: Mode | None = None
    ready: Answer = Answer.UNKNOWN
    ready_reason: str | None = None
    ready_changed: datetime | None = None
    stopped_condition: Answer | None = None
    trouble: Trouble | None = None
    url: str | None = None
    stop_note: StopNote | None = None
    stop_actor: str | None = None
    pods: tuple[Pod, ...] = ()
    pins: tuple[Pin, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    shortages: tuple[QuotaShortage, ...] = ()
    autoscaler: str | None = None
    autoscaler_is_ours: bool = False
    may_scale_to_zero: bool = False
    routed: bool = False
    members: tuple[Member, ...] = ()
    artifacts: tuple[str, ...] = ()
    bucketless: tuple[str, ...] = ()
    recreated: tuple[str, ...] = ()
    wanted: Mapping[str, int] = field(default_factory=dict)
    components: tuple[str, ...] = ()
    traffic: Mapping[str, int] = field(default_factory=dict)
    failed_revision: str | None = None
    scaled_down: ScaledDown | None = None
    stop_blocker: Blocker | None = None
    others_moved: datetime | None = None
    suspended: bool = False
    narrow_claims: tuple[NarrowClaim, ...] = ()
    canaries: tuple[Canary, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    unusable_note: Unusable | None = None

    @property
    def stop_annotation(self) -> str | None:
        return (self.annotations or {}).get(STOP_ANNOTATION)

    @property
    def digest(self) -> str | None:
        """What the last reload asked for."""
        return (self.annotations or {}).get(DIGEST_ANNOTATION)

    @property
    def stop_wanted(self) -> bool:
        """KServe compares case-insensitively."""
        return (self.stop_annotation or "").lower() == "true"

    @property
    def gpus(self) -> int:
        return sum(pod.gpus for pod in self.pods if pod.holds_resources)

    @property
    def gpus_exact(self) -> bool:
        return all(pod.gpus_exact for pod in self.pods if pod.holds_resources)

    @property
    def memory(self) -> int:
        return sum(pod.memory for pod in self.pods if pod.holds_resources)

    @property
    def kserve_says_stopped(self) -> bool:
        """The Stopped condition, or where the kind has none, Ready=False for the reason Stopped."""
        if self.stopped_condition is not None:
            return self.stopped_condition is Answer.TRUE
        return self.ready is Answer.FALSE and self.ready_reason == "Stopped"


STOP_ANNOTATION = "serving.kserve.io/stop"
DIGEST_ANNOTATION = "modelswitch.dev/artifact-digest"
SMOKE_TEST_ANNOTATION = "modelswitch.dev/smoke-test"
"""Of a model's owner: a prediction that its pods must answer before it counts as running."""
START_DEADLINE_ANNOTATION = "modelswitch.dev/start-deadline"
"""Of a model's owner: how long a start of it may take, as a duration."""
AUTOSCALER_ANNOTATION = "serving.kserve.io/autoscalerClass"
