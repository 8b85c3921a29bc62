"""Broker and Triggers as the manifests declare them, with every subscriber's URL found or the reason why not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import yaml

from functions.local.broker.filters import Matches, compile_filters
from functions.local.broker.policy import Policy, read_policy

API_GROUP = "eventing.knative.dev/"
NOT_DEPLOYED = "not-deployed"
"""Stands in subscriber URIs for the delivery secret (knative/base/triggers.yaml)."""
ORDER = "kafka.eventing.knative.dev/delivery.order"


FindUrl = Callable[[Mapping[str, Any]], str]
"""The URL of a destination. Raises ValueError."""


class ManifestError(ValueError):
    """A manifest that can't be used; says which object and what to change."""


@dataclass(frozen=True)
class Trigger:
    """Where matching events go, and where they end up when that fails for good (None: dropped).

    `ordered`: events with the same partitionkey are delivered one by one.
    """

    name: str
    matches: Matches
    subscriber: str
    dead_letter: str | None
    policy: Policy
    ordered: bool = False


@dataclass(frozen=True)
class Broker:
    """`path`: what follows the host in its URL, /NAMESPACE/NAME."""

    path: str
    triggers: tuple[Trigger, ...]


def load(sources: Sequence[Path], subscribers: Mapping[str, str], secret: str = NOT_DEPLOYED) -> list[Broker]:
    """Every Broker in files or folders, in order.

    `subscribers`: URL by the name that a `ref` has. Raises ManifestError.

    `secret`: what subscribers are to know the broker by.
    """
    found = [item for source in sources for item in documents(source)]
    wanted = [(namespace, doc) for namespace, doc in found if str(doc.get("apiVersion", "")).startswith(API_GROUP)]
    triggers = [(namespace, doc) for namespace, doc in wanted if doc.get("kind") == "Trigger"]
    find = partial(_url, subscribers, secret)
    brokers = [
        _broker(namespace, doc, [trigger for place, trigger in triggers if place == namespace], find)
        for namespace, doc in wanted
        if doc.get("kind") == "Broker"
    ]
    if not brokers:
        places = ", ".join(str(source) for source in sources)
        raise ManifestError(f"no Broker of {API_GROUP}v1 in {places}; name the folder that holds it with --manifests")
    return brokers


def documents(source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(namespace, object) of each YAML document; a folder's kustomization.yaml gives the namespace, else `default`."""
    if not source.exists():
        raise ManifestError(f"{source} does not exist; name a file or folder of manifests")
    files = sorted(source.glob("*.yaml")) if source.is_dir() else [source]
    kustomization = (source if source.is_dir() else source.parent) / "kustomization.yaml"
    usual = "default"
    if kustomization.exists():
        usual = (yaml.safe_load(kustomization.read_text()) or {}).get("namespace") or usual
    for file in files:
        try:
            parsed = list(yaml.safe_load_all(file.read_text()))
        except yaml.YAMLError as error:
            raise ManifestError(f"{file} is not YAML: {error}") from error
        for doc in parsed:
            if isinstance(doc, dict) and doc.get("kind"):
                yield (doc.get("metadata") or {}).get("namespace") or usual, doc


def _broker(namespace: str, doc: dict[str, Any], triggers: list[dict[str, Any]], find: FindUrl) -> Broker:
    name = doc["metadata"]["name"]
    delivery = (doc.get("spec") or {}).get("delivery") or {}
    mine = [trigger for trigger in triggers if trigger["spec"]["broker"] == name]
    return Broker(f"/{namespace}/{name}", tuple(_trigger(trigger, delivery, find) for trigger in mine))


def _trigger(doc: dict[str, Any], of_broker: dict[str, Any], find: FindUrl) -> Trigger:
    """A Trigger's own delivery replaces the Broker's as a whole; only the dead-letter sink is inherited by itself."""
    name = doc["metadata"]["name"]
    spec = doc["spec"]
    delivery = spec.get("delivery") or of_broker
    sink = delivery.get("deadLetterSink") or of_broker.get("deadLetterSink")
    try:
        return Trigger(
            name=name,
            matches=compile_filters(spec),
            subscriber=find(spec.get("subscriber") or {}),
            dead_letter=find(sink) if sink else None,
            policy=read_policy(delivery),
            ordered=(doc["metadata"].get("annotations") or {}).get(ORDER) == "ordered",
        )
    except (ValueError, TypeError) as error:
        raise ManifestError(f"Trigger {name}: {error}") from error


def _url(subscribers: Mapping[str, str], secret: str, destination: Mapping[str, Any]) -> str:
    uri = str(destination.get("uri") or "").replace(NOT_DEPLOYED, secret)
    ref = destination.get("ref")
    if not ref:
        if not uri:
            raise ValueError("a destination has neither ref nor uri")
        return uri
    url = subscribers.get(ref.get("name", ""))
    if url is None:
        raise ValueError(f"no URL for {ref.get('kind')} {ref.get('name')}; add --subscriber {ref.get('name')}=http://…")
    return urljoin(url, uri)
