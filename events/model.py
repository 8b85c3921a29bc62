"""Which model is meant: one KServe resource, and the ways in which events and paths name it."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"


def is_name(text: str) -> bool:
    """Whether a Kubernetes object may be called so."""
    return re.fullmatch(DNS_SUBDOMAIN, text) is not None


class Frozen(BaseModel):
    """An immutable value of the contract. An undefined field is an error; it is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9000, 1, 1, tzinfo=UTC))]
"""With a zone, and so that hours can be added: anything else would fail far from where it was read."""


class Kind(StrEnum):
    """The KServe resources that serve; the value is the resource's `kind`."""

    INFERENCE_SERVICE = "InferenceService"
    LLM_INFERENCE_SERVICE = "LLMInferenceService"
    INFERENCE_GRAPH = "InferenceGraph"

    @property
    def plural(self) -> str:
        """The resource's name in API paths and event subjects."""
        return f"{self.value.lower()}s"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Accept what people type: the kind or its plural, in any case, and KServe's short names."""
        wanted = text.lower()
        for kind in cls:
            if wanted in {kind.value.lower(), kind.plural, _SHORT_NAMES[kind.value]}:
                return kind
        raise ValueError(f"unknown kind {text!r}; expected one of {', '.join(cls)}")


_SHORT_NAMES = {"InferenceService": "isvc", "LLMInferenceService": "llmisvc", "InferenceGraph": "ig"}
_SUBJECT = re.compile(r"^namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)/(?P<name>[^/]+)$")


class ModelRef(Frozen):
    """A model: namespace, name and kind of one KServe resource. Names follow Kubernetes' rules, so a slash never fits."""

    namespace: str = Field(pattern=DNS_LABEL)
    name: str = Field(pattern=DNS_SUBDOMAIN)
    kind: Kind = Kind.INFERENCE_SERVICE

    @property
    def subject(self) -> str:
        """The CloudEvents `subject`."""
        return f"namespaces/{self.namespace}/{self.kind.plural}/{self.name}"

    @property
    def partition_key(self) -> str:
        """Events of one model stay in order where the broker can do that (`partitionkey` extension)."""
        return f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @classmethod
    def from_subject(cls, subject: str) -> Self:
        """Read a CloudEvents subject; ValueError says what was expected."""
        match = _SUBJECT.match(subject)
        if not match:
            raise ValueError(
                f"subject {subject!r} names no model; expected namespaces/NAMESPACE/inferenceservices/NAME"
            )
        return cls(namespace=match["namespace"], name=match["name"], kind=Kind.parse(match["plural"]))
