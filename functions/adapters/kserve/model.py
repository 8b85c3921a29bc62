"""Reading a model's object: what KServe says of it, and what its annotations ask for."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from events.model import Kind
from functions.adapters.cluster import FIELD_MANAGER, Json
from functions.adapters.kserve.parsing import Parsed, parse
from functions.adapters.kserve.resources import HANDOVER_POLICY
from functions.adapters.kserve.schema import MODELS
from functions.lifecycle.observation import AUTOSCALER_ANNOTATION, STOP_ANNOTATION, Answer, Canary, Mode, Trouble
from functions.lifecycle.reasons import Reason
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote
from functions.lifecycle.unusable import Unusable

_LLM_WORKLOAD = ("llminferenceservice-workload",)
COMPONENTS = ("predictor", "transformer", "explainer")
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
_MODES = {
    "Standard": Mode.STANDARD,
    "RawDeployment": Mode.STANDARD,
    "Knative": Mode.KNATIVE,
    "Serverless": Mode.KNATIVE,
    "ModelMesh": Mode.MODEL_MESH,
}
_TROUBLED_REASONS = frozenset(
    {
        "FailedCreate",
        "ProgressDeadlineExceeded",
        "RevisionFailed",
        "ContainerMissing",
        "ReconcileFailed",
        "InvalidGPUAllocation",
    }
)
_RETRIED_AT_ONCE = "the object has been modified"  # KServe lost a race on a write, and writes again
_TROUBLED_TRANSITIONS = frozenset({"InvalidSpec", "BlockedByFailedLoad"})
_WAITS_FOR_A_COMPONENT = "ingress not created"
_LONGEST_FAILURE = 300
_SCALERS_TO_ZERO = frozenset({"external", "keda"})


@dataclass(frozen=True)
class Condition:
    status: Answer
    reason: str | None
    message: str | None
    changed: datetime | None


@dataclass(frozen=True)
class Model:
    """One KServe object, read-only: what of it is as it should be."""

    kind: Kind
    object: Json

    def __post_init__(self) -> None:
        object.__setattr__(self, "object", parse(MODELS[self.kind], self.object))

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """The fields that are not, and are left out."""
        return self.object.unusable if isinstance(self.object, Parsed) else ()

    @property
    def metadata(self) -> Json:
        return dict(self.object.get("metadata") or {})

    @property
    def spec(self) -> Json:
        return self.object.get("spec") or {}

    @property
    def status(self) -> Json:
        return self.object.get("status") or {}

    @property
    def annotations(self) -> dict[str, str] | None:
        return self.metadata.get("annotations")

    @cached_property
    def note(self) -> StopNote | Unusable | None:
        """Our annotation on a stopped model."""
        return StopNote.parse((self.annotations or {}).get(STOP_NOTE_ANNOTATION))

    @property
    def stop_note(self) -> StopNote | None:
        return self.note if isinstance(self.note, StopNote) else None

    @property
    def unusable_note(self) -> Unusable | None:
        return self.note if isinstance(self.note, Unusable) else None

    @property
    def mode(self) -> Mode | None:
        if self.kind is Kind.LLM_INFERENCE_SERVICE:
            return Mode.STANDARD
        said = self.status.get("deploymentMode") or (self.annotations or {}).get(DEPLOYMENT_MODE) or ""
        return _MODES.get(said)

    def condition(self, name: str) -> Condition | None:
        """The last of that type: while a graph resumes, KServe appends a second one."""
        found = [c for c in self.status.get("conditions") or [] if c.get("type") == name]
        if not found:
            return None
        last = found[-1]
        status = last.get("status")
        return Condition(
            Answer(status) if status in {"True", "False"} else Answer.UNKNOWN,
            last.get("reason"),
            last.get("message"),
            last.get("lastTransitionTime"),
        )

    @property
    def ready(self) -> Condition | None:
        """As KServe says, for the reason of the component that is not ready: its route, which waits for that one, has another.

        But for what our own admission policy brings about: a pod that is kept can't be deleted, which its Deployment reports
        (ReplicaFailure) and KServe takes for a component that is not ready.
        """
        said = self.condition("Ready")
        if said is None or said.status is Answer.TRUE:
            return said
        found = [condition for name in COMPONENTS if (condition := self.condition(f"{name.capitalize()}Ready"))]
        down = [condition for condition in found if condition.status is not Answer.TRUE]
        others = [condition for condition in down if not _keeps_pods(condition)]
        if down and not others and self.routed:
            return replace(said, status=Answer.TRUE, reason=None, message=None)
        cause = next((condition for condition in others if condition.reason), said)
        return replace(said, reason=cause.reason, message=cause.message)

    @property
    def url(self) -> str | None:
        addresses = [self.status.get("address") or {}, *(self.status.get("addresses") or [])]
        urls = [self.status.get("url"), *(address.get("url") for address in addresses)]
        return next((str(url) for url in urls if url), None)

    @property
    def routed(self) -> bool:
        """Whether requests find their way to it, also while something newer, or more of it, does not come up.

        A route that KServe has made stays, and its URL with it; but while a component is not ready KServe says that it is
        not created (createRawIngress, createIngress, createHTTPRoute). What has no such condition is routed by its Service.
        """
        found = self.condition("IngressReady") or self.condition("RouterReady")
        waits = found is not None and (found.reason or "").endswith(_WAITS_FOR_A_COMPONENT)
        return found.status is Answer.TRUE if found and not waits else self.url is not None

    @property
    def trouble(self) -> Trouble | None:
        """Why KServe says that it does not come up; None while that is just not yet."""
        for condition in self.status.get("conditions") or []:
            message = condition.get("message") or ""
            if condition.get("status") == "True" or _RETRIED_AT_ONCE in message:
                continue
            if "exceeded quota" in message:
                return Trouble(Reason.QUOTA_EXCEEDED, message)
            if condition.get("type") != "Ready" and condition.get("reason") in _TROUBLED_REASONS:
                return Trouble(condition["reason"], message or f"KServe says {condition['reason']}")
        model_status = self.status.get("modelStatus") or {}
        failure = model_status.get("lastFailureInfo") or {}
        if model_status.get("transitionStatus") in _TROUBLED_TRANSITIONS and failure.get("reason"):
            return Trouble(failure["reason"], failure.get("message") or f"KServe says {failure['reason']}")
        return None

    @property
    def needed_components(self) -> tuple[str, ...]:
        """The component labels of which a pod must be ready before a request can be answered; () where that is not known."""
        if self.kind is Kind.INFERENCE_SERVICE:
            return tuple(name for name in COMPONENTS if self.spec.get(name) is not None)
        if self.kind is Kind.LLM_INFERENCE_SERVICE and self.spec.get("prefill") is None and self.routed:
            return _LLM_WORKLOAD
        return ()

    @property
    def traffic(self) -> dict[str, int]:
        """What percentage each revision of the model gets, in Knative mode."""
        if self.mode is not Mode.KNATIVE:
            return {}
        targets = [target for status in self._components.values() for target in status.get("traffic") or []]
        shares = [(target.get("revisionName"), target.get("percent") or 0) for target in targets]
        return {name: percent for name, percent in shares if name and percent > 0}

    @property
    def failed_revision(self) -> str | None:
        """The newest, where KServe says that it failed and an older one, which is ready, has all the traffic."""
        for component, status in self._components.items():
            created, ready = status.get("latestCreatedRevision"), status.get("latestReadyRevision")
            said = self.condition(f"{component.capitalize()}Ready")
            failed = said is not None and said.status is Answer.FALSE and said.reason in _TROUBLED_REASONS
            if failed and created and ready and created != ready and self.routed and created not in self.traffic:
                return str(created)
        return None

    @property
    def _components(self) -> dict[str, Json]:
        return {name: status for name, status in (self.status.get("components") or {}).items() if name in COMPONENTS}

    @property
    def build_failure(self) -> str | None:
        """KServe's words, where it fails at a resource of the model each time that it tries."""
        for condition in self.status.get("conditions") or []:
            message = condition.get("message") or ""
            if condition.get("status") == "False" and condition.get("reason") == "ReconcileFailed":
                return None if _RETRIED_AT_ONCE in message else message[:_LONGEST_FAILURE] or "ReconcileFailed"
        return None

    @property
    def scaler_to_zero(self) -> str | None:
        """In Standard mode, the autoscaler that its owner names and that can take it to zero."""
        autoscaler = (self.annotations or {}).get(AUTOSCALER_ANNOTATION)
        return autoscaler if autoscaler in _SCALERS_TO_ZERO else None

    @property
    def may_scale_to_zero(self) -> bool:
        predictor = self.spec.get("predictor") or {}
        return self.mode is Mode.KNATIVE or predictor.get("minReplicas") == 0 or self.scaler_to_zero is not None

    @property
    def components(self) -> tuple[Json, ...]:
        """What it consists of, canaries included."""
        own = [self.spec.get(name) or {} for name in COMPONENTS]
        return (*own, *(one.get("predictor") or {} for one in self.spec.get("canary") or []))

    @property
    def canaries(self) -> tuple[Canary, ...]:
        """Of Standard mode; in Knative mode a canary is a revision (blockers.py)."""
        if self.mode is Mode.KNATIVE:
            return ()
        ready = {one.get("name"): one.get("ready") for one in self.status.get("canaryStatuses") or []}
        named = [((one.get("predictor") or {}).get("name"), one) for one in self.spec.get("canary") or []]
        return tuple(Canary(name, one.get("trafficPercent") or 0, ready.get(name)) for name, one in named if name)

    @property
    def recreated(self) -> tuple[str, ...]:
        """The components whose old pods are gone before new ones are made."""
        return tuple(
            name
            for name, component in self.spec.items()
            if isinstance(component, dict) and (component.get("deploymentStrategy") or {}).get("type") == "Recreate"
        )

    @property
    def stop_actor(self) -> str | None:
        return self._manager(STOP_ANNOTATION)

    @property
    def autoscaler_is_ours(self) -> bool:
        return self._manager(AUTOSCALER_ANNOTATION) == FIELD_MANAGER

    def _manager(self, annotation: str) -> str | None:
        """The field manager that wrote an annotation last, from metadata.managedFields."""
        writers = [
            entry
            for entry in self.metadata.get("managedFields") or []
            if f"f:{annotation}" in _field(entry, "f:metadata", "f:annotations")
        ]
        newest: Json = max(writers, key=lambda entry: entry.get("time") or "", default={})
        return newest.get("manager")


def _keeps_pods(condition: Condition) -> bool:
    return condition.reason == "FailedDelete" and HANDOVER_POLICY in (condition.message or "")


def _field(entry: Json, *path: str) -> dict[str, Any]:
    fields: Any = entry.get("fieldsV1") or {}
    for key in path:
        fields = fields.get(key) if isinstance(fields, dict) else None
    return fields if isinstance(fields, dict) else {}
