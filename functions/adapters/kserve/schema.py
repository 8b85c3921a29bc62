"""The fields of Kubernetes objects that are read, with types and bounds. A field that is not here is not read.

A null counts as absent, as in Kubernetes. Bounds are far beyond what is sensible and well within what a process can
bear.
"""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Required

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StringConstraints
from typing_extensions import TypedDict

from events.model import DNS_LABEL, DNS_SUBDOMAIN, Kind
from functions.adapters.kserve.parsing import Schema
from functions.adapters.quantities import parse_quantity
from functions.lifecycle.moments import EXPECTED, in_bounds

MOST_SECONDS = 2**31 - 1
"""68 years: a date that far away can still be written."""
MOST_PODS = 1000
"""Of one model."""
_LONGEST_MESSAGE = 2000
_LONGEST_MOMENT = 40


def _message(text: str) -> str:
    """What is only shown is cut, since its beginning says enough."""
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or len(value) > _LONGEST_MOMENT:
        raise ValueError(EXPECTED)
    try:
        return in_bounds(datetime.fromisoformat(value))
    except ValueError as error:
        raise ValueError(EXPECTED) from error


def _amount(value: object) -> Decimal:
    try:
        amount = _known_amount(value) if isinstance(value, str) else parse_quantity(value)
    except ValueError as error:
        raise ValueError("a quantity: a number with a suffix such as 500m or 8Gi") from error
    if amount < 0:
        raise ValueError("a quantity of 0 or more")
    return amount


@lru_cache(maxsize=4096)
def _known_amount(value: str) -> Decimal:
    """Pods of one cluster ask for the same few amounts."""
    return parse_quantity(value)


Word = Annotated[str, StringConstraints(max_length=1024)]
Name = Annotated[str, StringConstraints(pattern=DNS_SUBDOMAIN, max_length=253)]
"""Names become parts of paths."""
Namespace = Annotated[str, StringConstraints(pattern=DNS_LABEL, max_length=63)]
Uid = Annotated[str, StringConstraints(max_length=128)]
Text = Annotated[str, AfterValidator(_message)]
Url = Annotated[str, StringConstraints(max_length=4096)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Number = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Seconds = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""More than MOST_SECONDS is legal in Kubernetes; code that computes with it reports that (pods.py)."""
Amounts = Annotated[dict[Word, Annotated[Any, PlainValidator(_amount)]], Field(max_length=64)]
Label = Annotated[str, StringConstraints(max_length=63)]
Annotation = Annotated[str, StringConstraints(max_length=256 * 1024)]


class ManagedFields(TypedDict, total=False):
    manager: Word | None
    time: Word | None
    fieldsV1: dict[str, Any] | None


class OwnerReference(TypedDict, total=False):
    kind: Word | None
    name: Name | None
    uid: Uid | None
    controller: bool | None


class Metadata(TypedDict, total=False):
    name: Name
    namespace: Namespace | None
    uid: Uid
    resourceVersion: Word | None
    generation: Annotated[int, Field(ge=0, le=2**63 - 1)] | None
    creationTimestamp: Moment | None
    deletionTimestamp: Word | None
    deletionGracePeriodSeconds: Seconds | None
    labels: Annotated[dict[Word, Label], Field(max_length=256)] | None
    annotations: Annotated[dict[Word, Annotation], Field(max_length=1000)] | None
    finalizers: Annotated[list[Word], Field(max_length=100)] | None
    ownerReferences: Annotated[list[OwnerReference], Field(max_length=100)] | None
    managedFields: Annotated[list[ManagedFields], Field(max_length=500)] | None


# --- pods ----------------------------------------------------------------------------------------------------------


class EnvironmentVariable(TypedDict, total=False):
    name: Required[Word]
    value: Annotated[str, StringConstraints(max_length=128 * 1024)] | None


class Port(TypedDict, total=False):
    name: Word | None
    containerPort: Required[Annotated[int, Field(ge=1, le=65535)]]
    protocol: Word | None


class HttpGet(TypedDict, total=False):
    scheme: Word | None
    path: Word | None


class Check(TypedDict, total=False):
    httpGet: HttpGet | None
    exec: dict[str, Any] | None
    tcpSocket: dict[str, Any] | None
    initialDelaySeconds: Count | None
    periodSeconds: Count | None
    failureThreshold: Count | None


class Lifecycle(TypedDict, total=False):
    preStop: dict[str, Any] | None


class Amounted(TypedDict, total=False):
    requests: Amounts | None
    limits: Amounts | None


Argument = Annotated[str, StringConstraints(max_length=128 * 1024)]


class Container(TypedDict, total=False):
    name: Required[Word]
    image: Word | None
    command: Annotated[list[Argument], Field(max_length=1000)] | None
    args: Annotated[list[Argument], Field(max_length=1000)] | None
    env: Annotated[list[EnvironmentVariable], Field(max_length=1000)] | None
    ports: Annotated[list[Port], Field(max_length=100)] | None
    resources: Amounted | None
    readinessProbe: Check | None
    startupProbe: Check | None
    lifecycle: Lifecycle | None
    restartPolicy: Word | None


Containers = Annotated[list[Container], Field(max_length=100)]


class Terminated(TypedDict, total=False):
    exitCode: Number | None
    reason: Word | None
    message: Text | None


class WaitingState(TypedDict, total=False):
    reason: Word | None
    message: Text | None


class ContainerState(TypedDict, total=False):
    waiting: WaitingState | None
    running: dict[str, Any] | None
    terminated: Terminated | None


class ContainerStatus(TypedDict, total=False):
    name: Required[Word]
    ready: bool | None
    started: bool | None
    restartCount: Count | None
    state: ContainerState | None
    lastState: ContainerState | None


class Condition(TypedDict, total=False):
    type: Required[Word]
    status: Word | None
    reason: Word | None
    message: Text | None
    lastTransitionTime: Moment | None


Conditions = Annotated[list[Condition], Field(max_length=100)]
ContainerStatuses = Annotated[list[ContainerStatus], Field(max_length=100)]


class SchedulingGate(TypedDict, total=False):
    name: Word | None


class ResourceClaim(TypedDict, total=False):
    name: Word | None
    resourceClaimName: Name | None


ResourceClaims = Annotated[list[ResourceClaim], Field(max_length=100)]


class ClaimSource(TypedDict, total=False):
    claimName: Name | None


class Volume(TypedDict, total=False):
    persistentVolumeClaim: ClaimSource | None


class PodSpec(TypedDict, total=False):
    nodeName: Word | None
    resources: Amounted | None
    overhead: Amounts | None
    volumes: Annotated[list[Volume], Field(max_length=1000)] | None
    resourceClaims: ResourceClaims | None
    schedulerName: Word | None
    schedulingGates: Annotated[list[SchedulingGate], Field(max_length=100)] | None
    terminationGracePeriodSeconds: Seconds | None
    containers: Containers | None
    initContainers: Containers | None


class PodStatus(TypedDict, total=False):
    phase: Word | None
    reason: Word | None
    message: Text | None
    podIP: Word | None
    resourceClaimStatuses: ResourceClaims | None
    conditions: Conditions | None
    containerStatuses: ContainerStatuses | None
    initContainerStatuses: ContainerStatuses | None


class Pod(TypedDict, total=False):
    metadata: Metadata
    spec: PodSpec | None
    status: PodStatus | None


# --- models --------------------------------------------------------------------------------------------------------


class Storage(TypedDict, total=False):
    key: Word | None
    path: Word | None
    parameters: Annotated[dict[Word, Word], Field(max_length=100)] | None


class StorageUri(TypedDict, total=False):
    uri: Url | None


class ComponentModel(TypedDict, total=False):
    name: Word | None
    runtime: Name | None
    protocolVersion: Word | None
    storageUri: Url | None
    storage: Storage | None


class Strategy(TypedDict, total=False):
    type: Word | None


class ComponentContainer(TypedDict, total=False):
    """KServe lets it be without a name."""

    name: Word | None
    env: Annotated[list[EnvironmentVariable], Field(max_length=1000)] | None


class Component(TypedDict, total=False):
    name: Word | None
    minReplicas: Number | None
    canaryTrafficPercent: Number | None
    deploymentStrategy: Strategy | None
    model: ComponentModel | None
    storageUris: Annotated[list[StorageUri], Field(max_length=100)] | None
    containers: Annotated[list[ComponentContainer], Field(max_length=100)] | None


class CanarySpec(TypedDict, total=False):
    predictor: Component | None
    trafficPercent: Number | None


class InferenceServiceSpec(TypedDict, total=False):
    predictor: Component | None
    transformer: Component | None
    explainer: Component | None
    canary: Annotated[list[CanarySpec], Field(max_length=100)] | None
    suspend: bool | None


class Lora(TypedDict, total=False):
    adapters: Annotated[list[StorageUri], Field(max_length=1000)] | None


class ServedModel(TypedDict, total=False):
    name: Word | None
    uri: Url | None
    lora: Lora | None


class BaseRef(TypedDict, total=False):
    name: Word | None


class LLMScaling(TypedDict, total=False):
    keda: dict[str, Any] | None


class Route(TypedDict, total=False):
    group: Label | None
    weight: Count | None


class Router(TypedDict, total=False):
    route: Route | None


class LLMInferenceServiceSpec(TypedDict, total=False):
    baseRefs: Annotated[list[BaseRef], Field(max_length=1000)] | None
    model: ServedModel | None
    prefill: dict[str, Any] | None
    replicas: Number | None
    scaling: LLMScaling | None
    suspend: bool | None

    router: Router | None


class GraphStep(TypedDict, total=False):
    serviceName: Word | None
    nodeName: Word | None
    weight: Number | None


class GraphNode(TypedDict, total=False):
    routerType: Word | None
    steps: Annotated[list[GraphStep], Field(max_length=1000)] | None


class InferenceGraphSpec(TypedDict, total=False):
    nodes: Annotated[dict[Word, GraphNode], Field(max_length=1000)] | None


class Address(TypedDict, total=False):
    url: Url | None


class FailureInfo(TypedDict, total=False):
    reason: Word | None
    message: Text | None


class ModelStatus(TypedDict, total=False):
    transitionStatus: Word | None
    lastFailureInfo: FailureInfo | None


class Target(TypedDict, total=False):
    revisionName: Word | None
    percent: Number | None


class ComponentStatus(TypedDict, total=False):
    traffic: Annotated[list[Target], Field(max_length=100)] | None
    latestRolledoutRevision: Word | None
    latestReadyRevision: Word | None
    latestCreatedRevision: Word | None


class CanaryStatus(TypedDict, total=False):
    name: Word | None
    ready: bool | None


class Status(TypedDict, total=False):
    canaryStatuses: Annotated[list[CanaryStatus], Field(max_length=100)] | None
    conditions: Conditions | None
    url: Url | None
    address: Address | None
    addresses: Annotated[list[Address], Field(max_length=100)] | None
    deploymentMode: Word | None
    modelStatus: ModelStatus | None
    components: Annotated[dict[Word, ComponentStatus], Field(max_length=100)] | None
    servingRuntimeName: Word | None
    clusterServingRuntimeName: Word | None


class InferenceService(TypedDict, total=False):
    metadata: Metadata
    spec: InferenceServiceSpec | None
    status: Status | None


class LLMInferenceService(TypedDict, total=False):
    metadata: Metadata
    spec: LLMInferenceServiceSpec | None
    status: Status | None


class InferenceGraph(TypedDict, total=False):
    metadata: Metadata
    spec: InferenceGraphSpec | None
    status: Status | None


# --- others --------------------------------------------------------------------------------------------------------


class WorkloadSpec(TypedDict, total=False):
    replicas: Count | None


class Workload(TypedDict, total=False):
    metadata: Metadata
    spec: WorkloadSpec | None


class QuotaSpec(TypedDict, total=False):
    hard: Amounts | None
    scopes: list[Any] | None
    scopeSelector: dict[str, Any] | None


class QuotaStatus(TypedDict, total=False):
    hard: Amounts | None
    used: Amounts | None


class Quota(TypedDict, total=False):
    metadata: Metadata
    spec: QuotaSpec | None
    status: QuotaStatus | None


class AllocatedDevice(TypedDict, total=False):
    driver: Word | None
    adminAccess: bool | None


class AllocatedDevices(TypedDict, total=False):
    results: Annotated[list[AllocatedDevice], Field(max_length=1000)] | None


class Allocation(TypedDict, total=False):
    devices: AllocatedDevices | None


class DeviceClaimStatus(TypedDict, total=False):
    allocation: Allocation | None
    reservedFor: list[Any] | None


class DeviceClaim(TypedDict, total=False):
    status: DeviceClaimStatus | None


class AccessModes(TypedDict, total=False):
    accessModes: Annotated[list[Word], Field(max_length=10)] | None


class VolumeClaim(TypedDict, total=False):
    spec: AccessModes | None
    status: AccessModes | None


class EventSeries(TypedDict, total=False):
    lastObservedTime: Moment | None


class Event(TypedDict, total=False):
    metadata: Metadata | None
    type: Word | None
    reason: Word | None
    message: Text | None
    firstTimestamp: Moment | None
    lastTimestamp: Moment | None
    eventTime: Moment | None
    series: EventSeries | None


class Events(TypedDict, total=False):
    items: Annotated[list[Event], Field(max_length=1000)] | None


class PendingWorkload(TypedDict, total=False):
    metadata: Metadata | None
    positionInLocalQueue: Count | None


class PendingWorkloads(TypedDict, total=False):
    items: Annotated[list[PendingWorkload], Field(max_length=10_000)] | None


class RuntimeSpec(TypedDict, total=False):
    disabled: bool | None


class Runtime(TypedDict, total=False):
    spec: RuntimeSpec | None


class Anything(TypedDict, total=False):
    metadata: Metadata


MODELS = {
    Kind.INFERENCE_SERVICE: Schema(InferenceService),
    Kind.LLM_INFERENCE_SERVICE: Schema(LLMInferenceService),
    Kind.INFERENCE_GRAPH: Schema(InferenceGraph),
}
POD = Schema(Pod)
WORKLOAD = Schema(Workload)
QUOTA = Schema(Quota)
RUNTIME = Schema(Runtime)
DEVICE_CLAIM = Schema(DeviceClaim)
VOLUME_CLAIM = Schema(VolumeClaim)
EVENTS = Schema(Events)
PENDING_WORKLOADS = Schema(PendingWorkloads)
ANYTHING = Schema(Anything)
