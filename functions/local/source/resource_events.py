"""A change of an object as the CloudEvent of ApiServerSource in Resource mode, and a ping as PingSource's.

As knative/eventing pkg/adapter/apiserver/events and pkg/adapter/mtping: random ids, the object as data, and a subject that
says /apis/v1 for core resources too.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from functions.local.broker.message import Event
from functions.local.source.manifests import Ping, Watched

CHANGES = {"ADDED": "add", "MODIFIED": "update", "DELETED": "delete"}


def resource_event(change: str, item: dict[str, Any], watched: Watched, host: str) -> Event:
    """`change` as a watch says it; `host` is the API server's URL, the event's source."""
    metadata = item.get("metadata") or {}
    api_version = item.get("apiVersion") or watched.api_version
    kind = item.get("kind") or watched.kind
    namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
    attributes = {
        **_usual(f"dev.knative.apiserver.resource.{CHANGES[change]}", host),
        "subject": f"/apis/{api_version}/namespaces/{namespace}/{watched.plural}/{name}",
        "kind": kind,
        "apiversion": api_version,
        "name": name,
        "namespace": namespace,
    }
    return Event(attributes, "application/json", json.dumps(item, separators=(",", ":")).encode())


def ping_event(ping: Ping) -> Event:
    return Event(_usual("dev.knative.sources.ping", ping.source), ping.content_type, ping.data)


def _usual(event_type: str, source: str) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": source,
        "type": event_type,
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
