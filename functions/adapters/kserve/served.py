"""How a pod's model server is to be asked: which container, which port, which protocols, and what the model is called.

Sources: KServe's pkg/constants and the controllers' defaults (the first containerPort, else 8080; LLMInferenceService
8000), the arguments by which KServe's servers, vLLM and Hugging Face's are told the model's name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from events.model import Kind
from functions.adapters.cluster import Json
from functions.adapters.kserve.model import Model

_CONTAINERS = {Kind.INFERENCE_SERVICE: "kserve-container", Kind.LLM_INFERENCE_SERVICE: "main"}
_DEFAULT_PORT = {Kind.INFERENCE_SERVICE: 8080, Kind.LLM_INFERENCE_SERVICE: 8000}
_NAME_FLAGS = ("--model_name", "--model-name", "--served-model-name", "--served_model_name")
_WORKER_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
_WITHOUT_A_MODEL = frozenset({"transformer", "explainer"})


class Protocol(StrEnum):
    """Of KServe's inference protocols, those that are asked over HTTP; GRPC can't be asked so."""

    V1 = "v1"
    V2 = "v2"
    OPENAI = "openai"
    GRPC = "grpc"


@dataclass(frozen=True)
class Server:
    """One pod's model server. `names` are what the model may be called; `protocols` in the order in which to ask.

    `address` is "" where the pod has none. `told`: the server was told the name; one that was not may call its model as it likes.
    """

    pod_uid: str
    pod: str
    namespace: str
    address: str
    port: int
    tls: bool
    names: tuple[str, ...]
    told: bool
    protocols: tuple[Protocol, ...]


def holds_model(kind: Kind, item: Json) -> bool:
    """Whether the pod serves the model itself: no transformer, no graph's router, no worker of a group, no scheduler."""
    labels = item["metadata"].get("labels") or {}
    if labels.get("component") in _WITHOUT_A_MODEL or labels.get(_WORKER_INDEX, "0") != "0":
        return False
    return server_container(kind, item) is not None


def server_of(model: Model, item: Json) -> Server | None:
    """None where the pod holds no model."""
    container = server_container(model.kind, item)
    if container is None or not holds_model(model.kind, item):
        return None
    told = list(_named(container))
    return Server(
        pod_uid=item["metadata"]["uid"],
        pod=item["metadata"]["name"],
        namespace=item["metadata"]["namespace"],
        address=(item.get("status") or {}).get("podIP") or "",
        port=server_port(model.kind, container),
        tls=speaks_tls(container),
        names=tuple(dict.fromkeys([*told, *_declared(model)])),
        told=bool(told),
        protocols=_protocols(model),
    )


def server_container(kind: Kind, item: Json) -> Json | None:
    name = _CONTAINERS.get(kind)
    containers = (item.get("spec") or {}).get("containers") or []
    return next((container for container in containers if container.get("name") == name), None)


def server_port(kind: Kind, container: Json) -> int:
    ports = container.get("ports") or []
    return int(ports[0]["containerPort"]) if ports else _DEFAULT_PORT[kind]


def speaks_tls(container: Json) -> bool:
    probe: Mapping[str, Json] = container.get("readinessProbe") or {}
    return (probe.get("httpGet") or {}).get("scheme") == "HTTPS"


def _named(container: Json) -> Iterator[str]:
    words = [str(word) for word in [*(container.get("command") or []), *(container.get("args") or [])]]
    for index, word in enumerate(words):
        flag, _, value = word.partition("=")
        if flag in _NAME_FLAGS:
            yield value or next(iter(words[index + 1 :]), "")


def _declared(model: Model) -> Iterator[str]:
    """An LLMInferenceService's own name of the model, else the resource's (facts: where the artifact is named)."""
    if model.kind is Kind.LLM_INFERENCE_SERVICE and (model.spec.get("model") or {}).get("name"):
        yield model.spec["model"]["name"]
    yield model.metadata["name"]


def _protocols(model: Model) -> tuple[Protocol, ...]:
    """What is declared first; the others behind it, since many servers speak more than they declare."""
    if model.kind is Kind.LLM_INFERENCE_SERVICE:
        return (Protocol.OPENAI,)
    declared = ((model.spec.get("predictor") or {}).get("model") or {}).get("protocolVersion") or "v1"
    if declared.startswith("grpc"):
        return (Protocol.GRPC,)
    first = Protocol.V2 if declared in {"v2", "open-inference-protocol"} else Protocol.V1
    return tuple(dict.fromkeys([first, Protocol.V1, Protocol.V2, Protocol.OPENAI]))
