"""Whether the API server lets only modelswitch write the stop annotation: the admission policy and its binding, read by name.

knative/base/stop-annotation.yaml makes both. Without them anyone who may patch a model may write there; what this
installation has not signed (notes.py) is a claim either way.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from functions.adapters.cluster import Changed, Cluster, Forbidden, Missing
from functions.adapters.kserve.resources import STOP_ANNOTATION_POLICY, named
from functions.lifecycle.errors import StepError
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION

GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{GROUP}/validatingadmissionpolicies", f"{GROUP}/validatingadmissionpolicybindings"
KEPT_SECONDS = 60.0
"""How long it may take until a change of the policy is noticed."""
OPTED_IN = "modelswitch.dev/installation"
_SO = (
    f"so anyone who may patch a model may write its annotation {STOP_NOTE_ANNOTATION}; "
    "a note that this installation has not signed is a claim"
)


class PolicyState(StrEnum):
    """UNKNOWN: it could not be read, which says nothing about whether it is there."""

    IN_FORCE = "in force"
    MISSING = "missing"
    NOT_ENFORCED = "not enforced"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PolicyStatus:
    """`message` and `next_action` are for people, "" where there is nothing to say. `only_in`: the label of the namespaces
    in which the policy holds, "" for all.
    """

    state: PolicyState
    name: str
    message: str = ""
    next_action: str = ""
    only_in: str = ""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class _PolicySpec(_Part):
    failure_policy: str = "Fail"


class _Policy(_Part):
    spec: _PolicySpec


class _MatchResources(_Part):
    namespace_selector: dict[str, Any] = Field(default_factory=dict)
    object_selector: dict[str, Any] = Field(default_factory=dict)
    resource_rules: tuple[Any, ...] = ()
    exclude_resource_rules: tuple[Any, ...] = ()


class _BindingSpec(_Part):
    policy_name: str
    validation_actions: tuple[str, ...] = ()
    match_resources: _MatchResources | None = None


class _Binding(_Part):
    spec: _BindingSpec


class NotePolicy:
    """Reads the policy of the installation in the namespace `installation`, at most once a minute."""

    def __init__(self, cluster: Cluster, installation: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._installation = installation
        self._name = f"{STOP_ANNOTATION_POLICY}.{installation}"
        self._clock = clock
        self._turn = asyncio.Lock()
        self._known: PolicyStatus | None = None
        self._until = 0.0

    async def status(self) -> PolicyStatus:
        """Raises nothing. Where the API server does not answer, what it said before counts."""
        async with self._turn:
            if self._known is None or self._clock() >= self._until:
                self._known = await self._read()
                self._until = self._clock() + KEPT_SECONDS
            return self._known

    async def _read(self) -> PolicyStatus:
        try:
            policy = _Policy.model_validate(await self._cluster.get(named(POLICIES, self._name)))
        except Missing:
            return self._missing("ValidatingAdmissionPolicy")
        except (StepError, Changed, ValidationError) as error:
            return self._unread("ValidatingAdmissionPolicy", error)
        try:
            binding = _Binding.model_validate(await self._cluster.get(named(BINDINGS, self._name)))
        except Missing:
            return self._missing("ValidatingAdmissionPolicyBinding")
        except (StepError, Changed, ValidationError) as error:
            return self._unread("ValidatingAdmissionPolicyBinding", error)
        return self._judged(policy.spec, binding.spec)

    def _judged(self, policy: _PolicySpec, binding: _BindingSpec) -> PolicyStatus:
        match = binding.match_resources or _MatchResources()
        opted_in = {"matchLabels": {OPTED_IN: self._installation}}
        if policy.failure_policy != "Fail":
            return self._not_enforced(f"its failurePolicy is {policy.failure_policy}, expected Fail")
        if binding.policy_name != self._name:
            return self._not_enforced(f"its binding names the policy {binding.policy_name:.253}")
        if "Deny" not in binding.validation_actions:
            actions = ", ".join(binding.validation_actions) or "none"
            return self._not_enforced(f"the validationActions of its binding are {actions:.100}, expected Deny")
        if match.object_selector or match.resource_rules or match.exclude_resource_rules:
            return self._not_enforced("the matchResources of its binding leave out models")
        if match.namespace_selector and match.namespace_selector != opted_in:
            return self._not_enforced("the namespaceSelector of its binding is not the one of this deployment")
        only_in = f"{OPTED_IN}={self._installation}" if match.namespace_selector else ""
        return PolicyStatus(PolicyState.IN_FORCE, self._name, only_in=only_in)

    def _missing(self, kind: str) -> PolicyStatus:
        message = f"{kind} {self._name} is missing, {_SO}."
        return PolicyStatus(PolicyState.MISSING, self._name, message, self._repair())

    def _not_enforced(self, why: str) -> PolicyStatus:
        message = f"ValidatingAdmissionPolicy {self._name} is not enforced ({why}), {_SO}."
        return PolicyStatus(PolicyState.NOT_ENFORCED, self._name, message, self._repair())

    def _unread(self, kind: str, error: Exception) -> PolicyStatus:
        if isinstance(error, Forbidden):
            return PolicyStatus(
                PolicyState.UNKNOWN,
                self._name,
                f"Unknown whether only modelswitch may write {STOP_NOTE_ANNOTATION}: {kind} {self._name} may not be read.",
                "Grant get on validatingadmissionpolicies and validatingadmissionpolicybindings with this resourceName.",
            )
        if self._known and isinstance(error, StepError):
            return self._known
        return PolicyStatus(
            PolicyState.UNKNOWN,
            self._name,
            f"Unknown whether only modelswitch may write {STOP_NOTE_ANNOTATION}: {kind} {self._name} could not be read.",
            "It is read again within a minute; if this stays, check the API server.",
        )

    def _repair(self) -> str:
        return f"An administrator of the cluster repeats `make deploy NAMESPACE={self._installation}`, which makes the policy."
