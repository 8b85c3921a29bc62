"""What an object store says of itself, as artifacts: Ceph RGW's CloudEvents and plain S3 notifications (MinIO, AWS).

All have the same body, {"Records": […]}; with `cloudevents=true` Ceph RGW adds the headers of a CloudEvent, with the type
`com.amazonaws.ObjectCreated:Put`. The CloudEvents adapter for S3 and Knative's CephSource send one record as the data;
the adapter's type is `com.amazonaws.s3.ObjectCreated:Put`. An object appears only when it is complete, but a folder of
several objects is complete only with its last: its writer puts a `_SUCCESS` object last, reported as the folder.

A store resends every refused notification, MinIO before all later ones. So an object with any name that a store allows
is accepted or skipped, and only what no store sends is refused.

Source of the rules: rgw_pubsub_push.cc and rgw_notify.cc in Ceph, adapters/aws-s3.md of CloudEvents.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

from cloudevents.http import CloudEvent
from pydantic import ValidationError

from events.artifact import ArtifactWritten, Completeness
from events.artifacts.survey import MARKER
from events.envelope import explain
from events.errors import Impossible, Malformed, shown
from events.location import UNPRINTABLE, Location
from events.wire import MAX_BODY_BYTES, open_event, parse_json

S3_TYPE_PREFIX = "com.amazonaws."
_TYPE = re.compile(r"com\.amazonaws\.(?:s3[.:])?(?P<event>[A-Z]\w*(?::\w+)?)")
_CREATED = re.compile(r"(s3:)?ObjectCreated:.+")
_MD5_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
_MOST_RECORDS = 1000
_SHOWN_CHARACTERS = 900
_EXPECTED = 'an S3 notification: {"Records": [{"eventName": …, "s3": {"bucket": …, "object": …}}]}'
_NEXT = "docs/artifacts.md shows how buckets are set up."


@dataclass(frozen=True, slots=True)
class ArtifactSeen:
    """One object that was written. `id` is the same for every notification of the same write.

    `location` is the object, or its folder where the object is a `_SUCCESS`; then `digest` says which writing of the
    marker it was (`marker:…`) and `size` is 0, because a marker says nothing of the content. Else `digest` is `etag:…`.
    """

    location: Location
    digest: str
    size: int
    complete: Completeness
    key: str
    id: str
    written_by: str | None

    def artifact(self, namespace: str | None = None) -> ArtifactWritten:
        """As the `artifact.written` event that other senders publish. `namespace`: only its models; None: all."""
        return ArtifactWritten(
            uri=str(self.location),
            namespace=namespace,
            digest=self.digest,
            size=self.size,
            complete=self.complete,
            written_by=self.written_by,
            reason=f"{self.key[:_SHOWN_CHARACTERS]} was written",
        )


def read_s3_event(headers: Mapping[str, str], body: bytes) -> list[ArtifactSeen]:
    """The objects that were written; [] where the notification is about something else (a removal, a store's own test).

    Malformed (400): no JSON, no CloudEvent where the headers say that it is one. Impossible (422): JSON that is no S3
    notification.
    """
    return [seen for record in _records(headers, body) if (seen := _seen(record))]


def _records(headers: Mapping[str, str], body: bytes) -> list[object]:
    lowered = {name.lower(): value for name, value in headers.items()}
    content_type = lowered.get("content-type", "").lower()
    if "ce-specversion" in lowered or content_type.startswith("application/cloudevents"):
        return _of_event(open_event(headers, body))
    if len(body) > MAX_BODY_BYTES:
        raise Malformed(f"a body of {len(body)} bytes", f"at most {MAX_BODY_BYTES}", "Send fewer records at once.")
    return _of_notification(parse_json(body))


def _of_event(event: CloudEvent) -> list[object]:
    found = _TYPE.fullmatch(event["type"])
    if not found:
        raise Impossible(f"event type {shown(event['type'])}", "com.amazonaws.s3.ObjectCreated:…", _NEXT)
    if isinstance(event.data, dict) and "s3" in event.data and "Records" not in event.data:
        return [{"eventName": found["event"], "eventSource": event["source"], **event.data}]
    return _of_notification(event.data)


def _of_notification(notification: object) -> list[object]:
    if not isinstance(notification, dict):
        raise Impossible("JSON that is no object", _EXPECTED, _NEXT)
    if "Records" not in notification and notification.get("Event") == "s3:TestEvent":
        return []
    records = notification.get("Records")
    if not isinstance(records, list) or len(records) > _MOST_RECORDS:
        raise Impossible(f"JSON without a list of at most {_MOST_RECORDS} Records", _EXPECTED, _NEXT)
    return records


def _seen(record: object) -> ArtifactSeen | None:
    name = _text(record, "eventName")
    if not _CREATED.fullmatch(name):
        return None
    # Ceph sends keys as they are, the others as in a form.
    plain = _text(record, "eventSource", default="").startswith("ceph:")
    key = _text(record, "s3", "object", "key")
    key = key if plain else unquote_plus(key)
    size = _field(record, "s3", "object", "size", default=0)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise Impossible(f"a size of {shown(size)}", _EXPECTED, _NEXT)
    etag = _etag(record)
    *above, last = key.split("/")
    if last == MARKER:
        digest = f"marker:{_writing(record, etag)}"
        return _built(record, key, "/".join(above), digest, size=0, complete=Completeness.SUCCESS_FILE)
    if not last or last.startswith(".") or etag == _MD5_OF_NOTHING:
        return None
    if not etag:
        raise Impossible("an object without eTag", _EXPECTED, _NEXT)
    return _built(record, key, key, f"etag:{etag}", size=size, complete=Completeness.DECLARED)


def _built(
    record: object, key: str, path: str, digest: str, *, size: int, complete: Completeness
) -> ArtifactSeen | None:
    """None where no storage URI leads to the object, so that no model loads it."""
    bucket = _text(record, "s3", "bucket", "name")
    location = _location(bucket, path)
    if location is None:
        return None
    try:
        who = _text(record, "userIdentity", "principalId", default="")[:253] or None
        seen = ArtifactSeen(location, digest, size, complete, key, _id(record, bucket, key, digest), who)
        seen.artifact()
    except ValidationError as error:
        raise Impossible(f"an object with {explain(error)}", _EXPECTED, _NEXT) from error
    return seen


def _location(bucket: str, path: str) -> Location | None:
    """What a storage URI can't have in it is quoted: the folder above it is then still found, and its models."""
    try:
        whole = Location.parse(f"s3://{bucket}")
    except ValueError as error:
        raise Impossible(f"a bucket: {error}", _EXPECTED, _NEXT) from error
    with suppress(ValueError):
        return Location.parse(f"{whole}/{UNPRINTABLE.sub(lambda found: quote(found[0]), path)}")
    return None


def _writing(record: object, etag: str) -> str:
    """Which writing of an object it was: a marker has always the same content."""
    for path in (("s3", "object", "sequencer"), ("s3", "object", "versionId"), ("eventTime",)):
        if text := _text(record, *path, default=""):
            return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:128].lstrip("_.-") or etag
    raise Impossible(f"a {MARKER} object without sequencer, versionId and eventTime", _EXPECTED, _NEXT)


def _id(record: object, bucket: str, key: str, digest: str) -> str:
    sequencer = _text(record, "s3", "object", "sequencer", default="") or _text(record, "eventTime", default="")
    text = json.dumps([bucket, key, digest, sequencer])
    return f"s3-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _etag(record: object) -> str:
    """`eTag`, as S3 has it; `etag` before Ceph Quincy."""
    return (
        _text(record, "s3", "object", "eTag", default="") or _text(record, "s3", "object", "etag", default="")
    ).strip('"')


_REQUIRED = object()


def _field(record: object, *path: str, default: object = _REQUIRED) -> Any:
    found: Any = record
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if found is None and default is _REQUIRED:
        raise Impossible(f"a record without {'.'.join(path)}", _EXPECTED, _NEXT)
    return default if found is None else found


def _text(record: object, *path: str, default: object = _REQUIRED) -> str:
    found = _field(record, *path, default=default)
    if not isinstance(found, str):
        raise Impossible(f"{'.'.join(path)} is no text", _EXPECTED, _NEXT)
    return found
