"""How a pod's model server is to be asked: which container, which port, which protocols, and what the model is called.

Sources: KServe's pkg/constants and the controllers' defaults (the first containerPort, else 8080; LLMInferenceService
8000), the arguments by which KServe's servers, vLLM and Hugging Face's are told the model's name.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from events.model import Kind
from functions.adapters.cluster import Json
from functions.adapters.kserve.model import Model
from functions.adapters.segments import pod_address, port_number, quoted

MOST_NAMES = 4
"""Of a pod, the declared ones among them."""
MOST_PORTS = 4
_BESIDE_THE_MODEL = frozenset(
    {
        "metrics",
        "prometheus",
        "prom",
        "telemetry",
        "monitoring",
        "grpc",
        "h2c",
        "admin",
        "management",
        "health",
        "debug",
    }
)
"""Words in the name of a port at which no model is served over HTTP."""
_CONTAINERS = {Kind.INFERENCE_SERVICE: "kserve-container", Kind.LLM_INFERENCE_SERVICE: "main"}
_DEFAULT_PORT = {Kind.INFERENCE_SERVICE: 8080, Kind.LLM_INFERENCE_SERVICE: 8000}
_NAME_FLAGS = ("--model_name", "--model-name", "--served-model-name", "--served_model_name")
CREDENTIALS_ANNOTATION = "modelswitch.dev/credentials"
"""Of a model's owner: the name of a Secret with a key `token`, or `authorization` for the whole header."""
_WORKER_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
_COMPONENT = {Kind.INFERENCE_SERVICE: "component", Kind.LLM_INFERENCE_SERVICE: "app.kubernetes.io/component"}
_SERVING_WORDS = {
    Kind.INFERENCE_SERVICE: frozenset({"predictor"}),
    Kind.LLM_INFERENCE_SERVICE: frozenset({"workload", "prefill", "decode", "leader", "worker"}),
}
"""Of the component label, such as `llminferenceservice-workload-prefill`: each role that serves has one of them."""


class Protocol(StrEnum):
    """Of KServe's inference protocols, those that are asked over HTTP; GRPC can't be asked so."""

    V1 = "v1"
    V2 = "v2"
    OPENAI = "openai"
    GRPC = "grpc"


@dataclass(frozen=True)
class Server:
    """One pod's model server. `names` are what the model may be called; `protocols` in the order in which to ask.

    `address` is "" where the pod has none. `other_ports` are asked where what answers at `port` is no model server. `told`: the server was told the name; one that was not may call its model as it likes.
    `unusable`: why it is not asked at all, "" where it is. `secret`: the Secret of its owner that has credentials for it, and
    `authorization` what was read there, "" for none.
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
    unusable: str = ""
    other_ports: tuple[int, ...] = ()
    secret: str = ""
    authorization: str = field(default="", repr=False)


def holds_model(kind: Kind, item: Json) -> bool:
    """Whether the pod serves the model itself: no transformer, no graph's router, no worker of a group.

    Nor a scheduler or a tokenizer, although KServe calls their containers as it calls a model server's. A component that
    is not known serves no model: a pod that is taken for a server is asked, counted, and may be replaced.
    """
    labels = _dict(item["metadata"].get("labels"))
    component = labels.get(_COMPONENT.get(kind, ""))
    if component and not _SERVING_WORDS[kind] & set(str(component).split("-")):
        return False
    return labels.get(_WORKER_INDEX, "0") == "0" and server_container(kind, item) is not None


def server_of(model: Model, item: Json) -> Server | None:
    """None where the pod holds no model. What its owner wrote and can't be asked is said in `unusable`."""
    container = server_container(model.kind, item)
    if container is None or not holds_model(model.kind, item):
        return None
    told, declared = list(_usable(_named(container))), list(_usable(_declared(model)))
    port, *others = server_ports(model.kind, container)
    server = server_at(
        item,
        port,
        other_ports=tuple(other for other in others if other),
        tls=speaks_tls(container),
        names=tuple(dict.fromkeys([*told[: MOST_NAMES - len(declared)], *declared])),
        told=bool(told),
        protocols=_protocols(model),
    )
    return replace(server, secret=str((model.annotations or {}).get(CREDENTIALS_ANNOTATION) or "").strip())


def server_at(
    item: Json,
    port: int | None,
    *,
    tls: bool,
    names: tuple[str, ...] = (),
    told: bool = False,
    protocols: tuple[Protocol, ...] = (),
    other_ports: tuple[int, ...] = (),
) -> Server:
    """The pod's own address and this port of it, `port` None where what was given is none."""
    said = _dict(item.get("status")).get("podIP") or ""
    address = pod_address(said)
    strange = f"its address is {said!r:.100}, which is not a pod's address" if said and address is None else ""
    return Server(
        pod_uid=item["metadata"]["uid"],
        pod=item["metadata"]["name"],
        namespace=item["metadata"]["namespace"],
        address=address or "",
        port=port or 0,
        tls=tls,
        names=names,
        told=told,
        protocols=protocols,
        unusable=strange or ("" if port else "its port is not a number from 1 to 65535"),
        other_ports=other_ports,
    )


def server_container(kind: Kind, item: Json) -> Json | None:
    return container_of(item, _CONTAINERS.get(kind, ""))


def container_of(item: Json, name: str) -> Json | None:
    return next((one for one in _dicts(_dict(item.get("spec")).get("containers")) if one.get("name") == name), None)


def server_port(kind: Kind, container: Json) -> int | None:
    """The first of `server_ports`."""
    return server_ports(kind, container)[0]


def server_ports(kind: Kind, container: Json) -> list[int | None]:
    """Where the model may be served, MOST_PORTS at most: as declared, but those last that are named for something else.

    None for one that is no port.
    """
    ports = [port for port in _dicts(container.get("ports")) if port.get("protocol", "TCP") in {"TCP", None}]
    ports.sort(key=lambda port: bool(_BESIDE_THE_MODEL & set(str(port.get("name")).lower().split("-"))))
    numbers = dict.fromkeys(port_number(port.get("containerPort")) for port in ports)
    return list(numbers)[:MOST_PORTS] or [_DEFAULT_PORT[kind]]


def speaks_tls(container: Json) -> bool:
    return _dict(_dict(container.get("readinessProbe")).get("httpGet")).get("scheme") == "HTTPS"


def _named(container: Json) -> Iterator[object]:
    words = [str(word) for word in [*_list(container.get("command")), *_list(container.get("args"))]]
    for index, word in enumerate(words):
        flag, _, value = word.partition("=")
        if flag in _NAME_FLAGS:
            yield value or next(iter(words[index + 1 :]), "")


def _declared(model: Model) -> Iterator[object]:
    """An LLMInferenceService's own name of the model, else the resource's."""
    if model.kind is Kind.LLM_INFERENCE_SERVICE:
        yield _dict(_dict(model.spec).get("model")).get("name")
    yield model.metadata["name"]


def _usable(names: Iterable[object]) -> Iterator[str]:
    """A name that can't stand in a path is no name: a server may be told any, and be asked under another."""
    return (name for name in names if isinstance(name, str) and quoted(name))


def _protocols(model: Model) -> tuple[Protocol, ...]:
    """What is declared first; the others behind it, since many servers speak more than they declare."""
    if model.kind is Kind.LLM_INFERENCE_SERVICE:
        return (Protocol.OPENAI,)
    declared = str(_dict(_dict(_dict(model.spec).get("predictor")).get("model")).get("protocolVersion") or "v1")
    if declared.startswith("grpc"):
        return (Protocol.GRPC,)
    first = Protocol.V2 if declared in {"v2", "open-inference-protocol"} else Protocol.V1
    return tuple(dict.fromkeys([first, Protocol.V1, Protocol.V2, Protocol.OPENAI]))


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[Json]:
    return [one for one in _list(value) if isinstance(one, dict)]
