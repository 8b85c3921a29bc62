"""The CloudEvent around a command or a fact: building one, and reading one into its types."""

import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudevents.http import CloudEvent
from pydantic import ValidationError

from events.artifact import ArtifactRef, ArtifactWritten
from events.catalogue.types import MODELS, NOTIFICATIONS, Content, schema_uri
from events.commands import Command
from events.errors import SHOWN_CHARACTERS, Impossible, Malformed, shown
from events.model import ModelRef
from events.wire import SPEC_VERSION, open_event

DEFAULT_EXPIRY = timedelta(hours=1)
# W3C Trace Context, 3.2: a header that does not look like this is to be ignored.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Received:
    """A command or fact that was understood. The sender's `time` is left out: nothing may rest on it.

    `correlation_id` is the original request's id, or the event's own id if the sender set none. `expires_at` is aware,
    None where the sender set no limit.
    """

    id: str
    source: str
    type: str
    ref: ModelRef | ArtifactRef
    data: Content
    correlation_id: str
    traceparent: str | None
    expires_at: datetime | None


def build(
    data: Content,
    ref: ModelRef | ArtifactRef,
    *,
    source: str,
    id: str | None = None,  # noqa: A002 - the attribute's name in CloudEvents
    correlation_id: str | None = None,
    traceparent: str | None = None,
    expires_in: timedelta = DEFAULT_EXPIRY,
    time: datetime | None = None,
) -> CloudEvent:
    """Return the event for a command or fact about `ref`. `time` is when it happened (default: now); commands expire after it."""
    return build_known(
        data.type,
        data.model_dump(mode="json"),
        ref,
        source=source,
        id=id,
        correlation_id=correlation_id,
        traceparent=traceparent,
        expires_in=expires_in if isinstance(data, Command | ArtifactWritten) else None,
        time=time,
    )


def build_known(
    event_type: str,
    data: Mapping[str, Any],
    ref: ModelRef | ArtifactRef,
    *,
    source: str,
    id: str | None = None,  # noqa: A002 - the attribute's name in CloudEvents
    correlation_id: str | None = None,
    traceparent: str | None = None,
    expires_in: timedelta | None = None,
    time: datetime | None = None,
) -> CloudEvent:
    """As `build`, of data that is JSON already and known to be right: what a store kept, also of another version's
    type.
    """
    moment = time or datetime.now(UTC)
    event_id = id or str(uuid.uuid4())
    attributes = {
        "specversion": SPEC_VERSION,
        "id": event_id,
        "source": source,
        "type": event_type,
        "subject": ref.subject,
        "time": format_time(moment),
        "datacontenttype": "application/json",
        "dataschema": schema_uri(event_type),
        "partitionkey": ref.partition_key,
        "correlationid": correlation_id or event_id,
    }
    if traceparent:
        attributes["traceparent"] = traceparent
    if expires_in is not None:
        attributes["expirytime"] = format_time(moment + expires_in)
    return CloudEvent(attributes, dict(data))


def read(headers: Mapping[str, str], body: bytes, *, accepts: Collection[str] | None = None) -> Received:
    """Return the command or fact in an HTTP request. `accepts`: the types that this receiver is for; None: every one.

    Malformed (400): see wire.open_event, and no data. Impossible (422): a type, subject, expirytime or data outside
    the contract.
    """
    return understand(open_event(headers, body), accepts=accepts)


def understand(event: CloudEvent, *, accepts: Collection[str] | None = None) -> Received:
    """Parse a CloudEvent that was already opened. Errors as in `read`."""
    attributes: dict[str, Any] = dict(event.get_attributes())
    _check_type(attributes["type"], accepts)
    data = _data(attributes["type"], event.data)
    subject = attributes.get("subject")
    return Received(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        ref=_artifact(data, subject) if isinstance(data, ArtifactWritten) else _ref(subject),
        data=data,
        correlation_id=str(attributes.get("correlationid") or attributes["id"]),
        traceparent=_traceparent(attributes.get("traceparent")),
        expires_at=_expiry(attributes.get("expirytime")),
    )


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC. `moment` is aware."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _check_type(event_type: str, accepts: Collection[str] | None) -> None:
    if event_type not in MODELS and event_type not in NOTIFICATIONS:
        raise Impossible(
            f"event type {shown(event_type)}, which is unknown",
            f"one of {', '.join(MODELS)}",
            "Correct the type; docs/events.md lists them.",
        )
    if event_type not in MODELS or (accepts is not None and event_type not in accepts):
        raise Impossible(
            f"event type {event_type}, which is not for this function",
            f"one of {', '.join(accepts or MODELS)}",
            "Correct the Trigger's filter, or send it to the broker instead of to this function.",
        )


def _ref(subject: object) -> ModelRef:
    expected = "namespaces/NAMESPACE/inferenceservices/NAME (or llminferenceservices, inferencegraphs)"
    try:
        return ModelRef.from_subject(str(subject or ""))
    except ValidationError as error:
        reason = f"subject {shown(subject)} names no model: {explain(error)}"
        raise Impossible(reason, expected, "Use the names that Kubernetes uses.") from error
    except ValueError as error:
        reason = f"subject {shown(subject)} names no model" if subject else "no subject"
        raise Impossible(reason, expected, "Name the model in `subject`.") from error


def _artifact(data: ArtifactWritten, subject: object) -> ArtifactRef:
    """Brokers decide by the subject who may send what, so it must not say anything else than the data.

    It may spell it otherwise: brokers and SDKs differ in what they do to percent-escapes.
    """
    if subject is not None and not _names(str(subject), data.ref):
        raise Impossible(
            f"subject {shown(subject)} beside data about {shown(data.ref.subject)}",
            "the same artifact in both",
            "Correct the subject, or leave it out.",
        )
    return data.ref


def _names(subject: str, ref: ArtifactRef) -> bool:
    try:
        return ArtifactRef.from_subject(subject) == ref
    except ValueError:
        return False


def _data(event_type: str, data: object) -> Content:
    if data is None:
        raise Malformed("no data", f"the data of {event_type}", "Send at least {} as the body.")
    if isinstance(data, (bytes, str)):
        raise Impossible("data that is not JSON", "JSON", "Send the header content-type: application/json.")
    try:
        return MODELS[event_type].model_validate(data)
    except ValidationError as error:
        raise Impossible(
            f"data with {explain(error)}",
            f"what the schema {schema_uri(event_type)} says",
            "Correct the fields named; docs/events.md lists them all.",
        ) from error


def explain(error: ValidationError) -> str:
    """`field: what is wrong` for up to three fields, without pydantic's links."""
    shown = [
        f"{'.'.join(map(str, detail['loc']))[:SHOWN_CHARACTERS] or 'value'}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_context=False, include_input=False)[:3]
    ]
    more = error.error_count() - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def _expiry(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone(UTC) if moment.tzinfo else _no_zone(str(text))
    except (ValueError, OverflowError) as error:
        raise Impossible(
            f"expirytime {shown(text)}",
            "a time like 2026-01-31T12:00:00Z",
            "Send RFC 3339 with a zone, or leave it out.",
        ) from error


def _no_zone(text: str) -> datetime:
    raise ValueError(f"{text!r} has no zone")


def _traceparent(text: object) -> str | None:
    return text if isinstance(text, str) and _TRACEPARENT.fullmatch(text) else None
