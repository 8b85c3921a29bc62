"""Short ways to say what `verify` has seen of a model."""

from datetime import UTC, datetime, timedelta

from events.model import ModelRef
from functions.adapters.kserve.served import Protocol, Server
from functions.admin.verify.sighting import NOT_ASKED, Sighting
from functions.lifecycle.observation import Answer, Answered, Mode, Observation, Pod, PodAnswer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REF = ModelRef(namespace="ml", name="fraud")
RUNTIME = "ServingRuntime ml/sklearn"
_PATH = "/v1/models/fraud"
LOADED = PodAnswer(Answered.LOADED, f"GET {_PATH}: 200", model_path=_PATH)
MISSING = PodAnswer(Answered.MISSING, f"GET {_PATH}: 404 Model with name fraud does not exist.", model_path=_PATH)
LOADING = PodAnswer(Answered.LOADING, f"GET {_PATH}: 503 Model with name fraud is not ready.", model_path=_PATH)
SILENT = PodAnswer(Answered.UNANSWERED, "10.0.0.1:8080 took the connection and said nothing for 2s")
GRPC = PodAnswer(Answered.UNASKABLE, "it speaks gRPC only")
TCP = {"tcpSocket": {"port": 8080}}


def a_pod(answer=LOADED, name="p-0", *, ready=True, up_for=60.0, serves=True, **changes):
    values = {
        "uid": name, "name": name, "component": "predictor", "ready": ready, "node": "n", "gpus": 0, "memory": 0,
        "requests": {}, "grace": 30, "deleting": False, "deletion_grace": None, "owner": None, "serves": serves,
        "answer": answer if ready and serves else None, "ready_since": NOW - timedelta(seconds=up_for),
    }  # fmt: skip
    return Pod(**{**values, **changes})


def seen(*pods, **changes):
    values = {"exists": True, "uid": "m-1", "mode": Mode.STANDARD, "ready": Answer.TRUE, "pods": pods, "routed": True}
    return Observation(REF, NOW, **{**values, **changes})


def a_server(pod, names=("fraud",)):
    return Server(
        pod.uid, pod.name, "ml", "10.0.0.1", 8080, tls=False, names=names, told=True, protocols=(Protocol.V1,)
    )


def sighting(
    *pods, prediction=NOT_ASKED, probe=TCP, lifecycle=None, names=("fraud",), unanswered_since=None, more=(), **changes
):
    """`probe` and `lifecycle` are those of each pod's server."""
    has = {"readinessProbe": probe, "lifecycle": lifecycle}
    container = {"name": "kserve-container", **{field: value for field, value in has.items() if value}}
    items = {pod.uid: {"metadata": {"uid": pod.uid}, "spec": {"containers": [container, *more]}} for pod in pods}
    servers = tuple(a_server(pod, names) for pod in pods if pod.answer)
    return Sighting(seen(*pods, **changes), servers, items, RUNTIME, unanswered_since, prediction)
