"""Reading notifications: which object changed, or that time passed. What a notification says is where to look, never what is true."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloudevents.http import CloudEvent
from pydantic import ValidationError

from events.catalogue.types import NOTIFICATIONS
from events.errors import Impossible, shown
from events.model import ModelRef
from events.wire import open_event

RESOURCE_PREFIX = "dev.knative.apiserver.resource."
PING = "dev.knative.sources.ping"
Change = Literal["add", "update", "delete"]
_CHANGES: Mapping[str, Change] = {"add": "add", "update": "update", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class ResourceNotification:
    """A Kubernetes object appeared, changed or went. `object` is what it was when the source saw it."""

    id: str
    source: str
    change: Change
    api_version: str
    kind: str
    namespace: str
    name: str
    object: Mapping[str, Any]

    @property
    def uid(self) -> str | None:
        return _metadata(self.object).get("uid")

    @property
    def resource_version(self) -> str | None:
        return _metadata(self.object).get("resourceVersion")

    @property
    def labels(self) -> Mapping[str, str]:
        labels = _metadata(self.object).get("labels")
        return labels or {}


@dataclass(frozen=True, slots=True)
class Ping:
    """Time passed."""

    id: str
    source: str


def read_notification(headers: Mapping[str, str], body: bytes) -> ResourceNotification | Ping:
    """Return the notification in an HTTP request. Malformed (400) as in wire.open_event; Impossible (422): no notification, or no object."""
    return understand_notification(open_event(headers, body))


def understand_notification(event: CloudEvent) -> ResourceNotification | Ping:
    """Parse a CloudEvent that was already opened as a notification."""
    attributes: dict[str, Any] = dict(event.get_attributes())
    event_type = attributes["type"]
    if event_type not in NOTIFICATIONS:
        raise Impossible(
            f"event type {shown(event_type)}, not a notification",
            f"one of {', '.join(NOTIFICATIONS)}",
            "Correct the Trigger's filter.",
        )
    if event_type == PING:
        return Ping(id=attributes["id"], source=attributes["source"])
    return _resource(attributes, event.data)


def _resource(attributes: Mapping[str, Any], data: object) -> ResourceNotification:
    missing = [name for name in ("apiversion", "kind", "namespace", "name") if not attributes.get(name)]
    if missing:
        raise Impossible(
            f"a resource event without {', '.join(missing)}",
            "the extensions of ApiServerSource",
            "Use ApiServerSource, or set the extensions as it does.",
        )
    if not isinstance(data, dict) or not isinstance(data.get("metadata"), dict):
        raise Impossible(
            "a resource event whose data is no object", "the Kubernetes object", "Set the source's `mode: Resource`."
        )
    _check_place(attributes)
    _check_metadata(data["metadata"])
    return ResourceNotification(
        id=attributes["id"],
        source=attributes["source"],
        change=_CHANGES[attributes["type"].removeprefix(RESOURCE_PREFIX)],
        api_version=str(attributes["apiversion"]),
        kind=str(attributes["kind"]),
        namespace=str(attributes["namespace"]),
        name=str(attributes["name"]),
        object=data,
    )


def _check_place(attributes: Mapping[str, Any]) -> None:
    try:
        ModelRef(namespace=str(attributes["namespace"]), name=str(attributes["name"]))
    except ValidationError as error:
        raise Impossible(
            f"a resource event about {shown(attributes['namespace'])}, {shown(attributes['name'])}",
            "names as Kubernetes has them",
            "Use ApiServerSource, or set the extensions as it does.",
        ) from error


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    labels = metadata.get("labels") or {}
    texts = [metadata.get("uid"), metadata.get("resourceVersion")]
    texts += labels.values() if isinstance(labels, dict) else [labels]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise Impossible(
            "a resource event whose uid, resourceVersion or labels are no strings",
            "the Kubernetes object",
            "Set the source's `mode: Resource`.",
        )


def _metadata(item: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = item.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
