"""The written artifacts that one request reports, from any sender."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudevents.http import CloudEvent

from events.artifact import ArtifactWritten, Completeness
from events.artifacts.s3 import S3_TYPE_PREFIX, ArtifactSeen, read_s3_event
from events.envelope import understand
from events.errors import Malformed, shown
from events.senders import printable, refuse_reserved
from events.wire import open_event
from functions.adapters.signature import Signer
from functions.senders import Sender, actor_of, sender_of

OBJECTS_SETTLE_SECONDS = 15.0
_STORE = "/s3"


@dataclass(frozen=True)
class Writing:
    """`settle`: seconds to wait for more of it, where only a part of what a model loads was written."""

    sender: Sender
    id: str
    written: ArtifactWritten
    correlation_id: str
    traceparent: str | None = None
    expires_at: datetime | None = None
    settle: float | None = None

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at < datetime.now(UTC)


def read_writings(headers: Mapping[str, str], body: bytes, signer: Signer, user: str | None = None) -> list[Writing]:
    """`user`: the account that delivers by its own token.

    A store's own notification names no sender: it counts as sent by its bucket, `/s3/BUCKET`.

    Malformed or Impossible as events.envelope.read and events.artifacts.s3.read_s3_event raise them.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    is_event = "ce-specversion" in lowered or lowered.get("content-type", "").startswith("application/cloudevents")
    event = open_event(headers, body) if is_event else None
    if event is not None:
        if not str(event["type"]).startswith(S3_TYPE_PREFIX):
            return [_told(event, signer, user)]
        refuse_reserved(str(event["source"]), None)
    elif lowered.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        # What a page of another site can send without asking has another type.
        raise Malformed(
            f"content type {shown(lowered.get('content-type'))}",
            "a CloudEvent, or an object store's notification as application/json",
            "Set the content type.",
        )
    return [
        Writing(
            sender=_bucket(seen, user),
            id=seen.id,
            written=seen.artifact(),
            correlation_id=seen.id,
            settle=None if seen.complete is Completeness.SUCCESS_FILE else OBJECTS_SETTLE_SECONDS,
        )
        for seen in read_s3_event(headers, body)
    ]


def _bucket(seen: ArtifactSeen, user: str | None) -> Sender:
    source = f"{_STORE}/{seen.location.authority}"
    return Sender(source, user or actor_of(source), user, printable(seen.written_by))


def _told(event: CloudEvent, signer: Signer, user: str | None) -> Writing:
    received = understand(event, accepts=[ArtifactWritten.type])
    if not isinstance(received.data, ArtifactWritten):
        raise TypeError(f"{received.type} tells of no artifact")
    return Writing(
        sender=sender_of(event, received.data.written_by, signer, user),
        id=received.id,
        written=received.data,
        correlation_id=received.correlation_id,
        traceparent=received.traceparent,
        expires_at=received.expires_at,
    )
