"""What to watch and when to ping, as the ApiServerSource and PingSource manifests say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.local.broker.manifests import ManifestError, documents

API_GROUP = "sources.knative.dev/"
_SECONDS = re.compile(r"(?:\*|\*/(\d+))( \*){5}")


@dataclass(frozen=True)
class Watched:
    """One resource of an ApiServerSource. `selector` is a label selector as the API takes it, "" for all."""

    api_version: str
    kind: str
    selector: str = ""

    @property
    def plural(self) -> str:
        """As client-go guesses it from the kind, which is what Knative puts into the subject."""
        name = self.kind.lower()
        if name.endswith("s"):
            return f"{name}es"
        return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"

    @property
    def path(self) -> str:
        """Of all namespaces' objects."""
        return f"/{'apis' if '/' in self.api_version else 'api'}/{self.api_version}/{self.plural}"


@dataclass(frozen=True)
class Ping:
    """One PingSource; `every` in seconds, at multiples of it past the minute."""

    source: str
    every: int
    content_type: str | None
    data: bytes


def load(sources: Sequence[Path]) -> tuple[list[Watched], list[Ping]]:
    """From files or folders. Raises ManifestError."""
    found = [item for source in sources for item in documents(source)]
    ours = [(namespace, doc) for namespace, doc in found if str(doc.get("apiVersion", "")).startswith(API_GROUP)]
    watched = [
        _watched(doc, resource)
        for _, doc in ours
        if doc["kind"] == "ApiServerSource"
        for resource in doc["spec"]["resources"]
    ]
    return list(dict.fromkeys(watched)), [_ping(place, doc) for place, doc in ours if doc["kind"] == "PingSource"]


def _watched(doc: Mapping[str, Any], resource: Mapping[str, Any]) -> Watched:
    if doc["spec"].get("mode") != "Resource":
        raise ManifestError(f"ApiServerSource {doc['metadata']['name']}: here only `mode: Resource` works")
    return Watched(resource["apiVersion"], resource["kind"], _selector(resource.get("selector") or {}))


def _selector(selector: Mapping[str, Any]) -> str:
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for term in selector.get("matchExpressions") or []:
        key, values = term["key"], ",".join(term.get("values") or [])
        by_operator = {
            "Exists": key,
            "DoesNotExist": f"!{key}",
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
        }
        terms.append(by_operator[term["operator"]])
    return ",".join(terms)


def _ping(namespace: str, doc: Mapping[str, Any]) -> Ping:
    """Only schedules of seconds; for an hourly ping on a laptop use a cron job."""
    name, spec = doc["metadata"]["name"], doc["spec"]
    found = _SECONDS.fullmatch(spec["schedule"])
    if not found or not 0 < int(found[1] or 1) <= 60:
        raise ManifestError(f"PingSource {name}: schedule {spec['schedule']!r}; here only '*/N * * * * *' works")
    source = f"/apis/v1/namespaces/{namespace}/pingsources/{name}"
    return Ping(source, int(found[1] or 1), spec.get("contentType"), str(spec.get("data") or "").encode())
