"""The writings that one request tells of, whoever sent it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from events.artifact import ArtifactWritten, Completeness
from events.artifacts.s3 import S3_TYPE_PREFIX, read_s3_event
from events.envelope import read
from events.wire import open_event

OBJECTS_SETTLE_SECONDS = 15.0
_STORE = "/s3"


@dataclass(frozen=True)
class Writing:
    """`settle`: seconds to wait for more of it, where only a part of what a model loads was written."""

    source: str
    id: str
    written: ArtifactWritten
    correlation_id: str
    traceparent: str | None = None
    expires_at: datetime | None = None
    settle: float | None = None

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at < datetime.now(UTC)


def read_writings(headers: Mapping[str, str], body: bytes) -> list[Writing]:
    """Malformed or Impossible as events.envelope.read and events.artifacts.s3.read_s3_event raise them."""
    lowered = {name.lower(): value for name, value in headers.items()}
    is_event = "ce-specversion" in lowered or lowered.get("content-type", "").startswith("application/cloudevents")
    if is_event and not str(open_event(headers, body)["type"]).startswith(S3_TYPE_PREFIX):
        return [_told(headers, body)]
    return [
        Writing(
            source=f"{_STORE}/{seen.location.authority}",
            id=seen.id,
            written=seen.artifact(),
            correlation_id=seen.id,
            settle=None if seen.complete is Completeness.SUCCESS_FILE else OBJECTS_SETTLE_SECONDS,
        )
        for seen in read_s3_event(headers, body)
    ]


def _told(headers: Mapping[str, str], body: bytes) -> Writing:
    received = read(headers, body, accepts=[ArtifactWritten.type])
    if not isinstance(received.data, ArtifactWritten):
        raise TypeError(f"{received.type} tells of no artifact")
    return Writing(
        source=received.source,
        id=received.id,
        written=received.data,
        correlation_id=received.correlation_id,
        traceparent=received.traceparent,
        expires_at=received.expires_at,
    )
