"""A model's artifact as a pipeline, a watcher or a bucket tells of it: where, which, how large, and why it is complete."""

import re
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from events.errors import shown
from events.location import MOST_CHARACTERS, Location
from events.model import DNS_LABEL, Frozen

DIGEST = r"^[a-z0-9][a-z0-9-]{0,31}:[A-Za-z0-9][A-Za-z0-9+/=_.-]{0,127}$"

_SUBJECT = re.compile(r"(?:namespaces/(?P<namespace>[^/]+)/)?artifacts/(?P<uri>.+)", re.DOTALL)


def _normal(uri: str) -> str:
    return str(Location.parse(uri))


Uri = Annotated[
    str,
    Field(max_length=MOST_CHARACTERS),
    AfterValidator(_normal),
    WithJsonSchema({"type": "string", "maxLength": MOST_CHARACTERS, "examples": ["pvc://models/fraud/scorer"]}),
]
Digest = Annotated[str, Field(pattern=DIGEST, examples=[f"sha256:{'0' * 64}"])]


class Completeness(StrEnum):
    """How it is known that the artifact is no longer being written."""

    SUCCESS_FILE = "success-file"
    DECLARED = "declared"
    STABLE = "stable"


class Strategy(StrEnum):
    """rolling: the old pod serves until the new one has loaded. replace: stop, no pod left, start."""

    ROLLING = "rolling"
    REPLACE = "replace"


class Artifact(Frozen):
    """One state of one artifact. Events with the same digest are about the same artifact."""

    uri: Uri = Field(description="As the model's storageUri names it: a file, or the folder that it is in.")
    namespace: str | None = Field(
        default=None,
        pattern=DNS_LABEL,
        description="Where the claim is (pvc://). Elsewhere: only models of this namespace are meant; null: all.",
    )
    digest: Digest = Field(description="`sha256:…` of the content as it was read back, or the store's own `etag:…`.")
    size: int = Field(ge=0, description="Bytes, of all files together.")
    complete: Completeness = Field(
        default=Completeness.DECLARED,
        description="Why it is complete: a `_SUCCESS` file, the sender's word, or a size that was stable for a while.",
    )
    expected_digest: Digest | None = Field(
        default=None, description="What should have been written. Another digest than this is refused."
    )
    expected_size: int | None = Field(default=None, ge=0, description="Likewise, in bytes.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.location.claim and not self.namespace:
            raise ValueError(f"{self.uri} is a claim: name the namespace that it is in")
        if self.expected_digest not in {None, self.digest}:
            raise ValueError(f"digest {self.digest} was written, expected {self.expected_digest}")
        if self.expected_size not in {None, self.size}:
            raise ValueError(f"{self.size} bytes were written, expected {self.expected_size}")
        return self

    @property
    def location(self) -> Location:
        return Location.parse(self.uri)


class ArtifactRef(Frozen):
    """What an event about an artifact is about; the CloudEvents `subject`."""

    uri: str
    namespace: str | None = None

    @classmethod
    def from_subject(cls, subject: str) -> Self:
        """Read a CloudEvents subject, its URI in the one spelling that is compared; ValueError says what is wrong."""
        match = _SUBJECT.fullmatch(subject)
        if not match:
            raise ValueError(f"{shown(subject)} names no artifact; expected artifacts/URI, or namespaces/NAMESPACE/…")
        # A header's %20 may have been read as the space that it stands for; no storage URI has a space in it.
        return cls(uri=_normal(match["uri"].replace(" ", "%20")), namespace=match["namespace"])

    @property
    def subject(self) -> str:
        return f"namespaces/{self.namespace}/artifacts/{self.uri}" if self.namespace else f"artifacts/{self.uri}"

    @property
    def partition_key(self) -> str:
        """Events of one artifact stay in order where the broker can do that."""
        return self.subject


class ArtifactWritten(Artifact):
    """An artifact was written completely; the models that use it load it."""

    type: ClassVar[str] = "dev.modelswitch.artifact.written.v1"

    written_by: str | None = Field(
        default=None, max_length=253, description="Who wrote it, as the sender says: shown as a claim."
    )
    reason: str | None = Field(
        default=None, max_length=1024, description="Reason (shown to users who see the model reload)."
    )
    strategy: Strategy = Field(
        default=Strategy.ROLLING,
        description="`rolling`: the old pod serves until the new one has loaded. `replace`: it goes first, where a GPU "
        "or a ReadWriteOnce volume is free only then.",
    )

    @property
    def ref(self) -> ArtifactRef:
        return ArtifactRef(uri=self.uri, namespace=self.namespace)
