"""The model servers in pretended pods, as far as the API server's proxy reaches them: whether they have their model.

They behave as KServe's own servers do: one that finds no model in its folder starts all the same, is Ready, and
answers 404 for good, also once the model is there; only a new pod reads the folder again. What is in a pretended claim its
annotation says: paths, separated by spaces. A claim without that annotation has everything.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from starlette.responses import JSONResponse, Response

from functions.local.kubernetes import ownership
from functions.local.kubernetes.errors import ApiError
from functions.local.kubernetes.objects import Objects
from functions.local.kubernetes.resources import PODS, PVCS
from functions.local.kubernetes.store import Obj

FILES = "sim.modelswitch.dev/files"
"""On a claim: what is in it."""
MODEL = "sim.modelswitch.dev/model"
"""On a pod: `missing` or `loading` where its server is to be so whatever the claim has, `broken` where it can't predict,
`asleep` where it is a vLLM that was put to sleep.
"""
MODEL_NAME = "sim.modelswitch.dev/model-name"
"""On a pod: what its server calls its model, whatever it was told, as Triton and MLServer may."""
IN_FLIGHT = "sim.modelswitch.dev/requests-in-flight"
"""On a pod: how many requests its server reports, in vLLM's metrics, as in flight. Without it the server has no metrics."""
_PATH = re.compile(
    r"/api/v1/namespaces/(?P<namespace>[^/]+)/pods/(?:https?:)?(?P<pod>[^/:]+)(?::(?P<port>\d+))?/proxy(?P<path>/.*)"
)
_NAME_FLAG = re.compile(r"--(?:model[_-]name|served[_-]model[_-]name)=(.+)")


@dataclass(frozen=True)
class Call:
    """A request for a pod's server."""

    namespace: str
    pod: str
    path: str

    @classmethod
    def of(cls, path: str) -> Self | None:
        match = _PATH.fullmatch(path)
        return cls(match["namespace"], match["pod"], match["path"]) if match else None


class ModelServers:
    """`_found` remembers what each pod found when its server was first seen, by the pod's uid."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._found: dict[str, bool] = {}

    def answer(self, call: Call) -> Response:
        pod, state = self._asked(call)
        if _is_scheduler(pod):
            raise ApiError(503, "ServiceUnavailable", "error trying to reach service: malformed HTTP response", {})
        if call.path == "/metrics":
            return _metrics((pod["metadata"].get("annotations") or {}).get(IN_FLIGHT))
        if any(container["name"] == "main" for container in pod["spec"]["containers"]):
            return _openai(_name(pod), call.path, state)
        return _kserve(_name(pod), call.path, state)

    def predict(self, call: Call, body: bytes) -> Response:
        pod, state = self._asked(call)
        return _prediction(_name(pod), call.path, state, body)

    def _asked(self, call: Call) -> tuple[Obj, str]:
        """The pod, and how its server is: "" where it has its model."""
        pod = self._objects.store.get(PODS, call.namespace, call.pod)
        if pod is None:
            raise ApiError(404, "NotFound", f'pods "{call.pod}" not found', {"name": call.pod, "kind": "pods"})
        if not ownership.is_ready(pod):
            raise ApiError(503, "ServiceUnavailable", "error trying to reach service: dial tcp: connection refused", {})
        state = (pod["metadata"].get("annotations") or {}).get(MODEL) or ("" if self._has_model(pod) else "missing")
        return pod, state

    def _has_model(self, pod: Obj) -> bool:
        uid = pod["metadata"]["uid"]
        if uid not in self._found:
            self._found[uid] = all(self._is_there(pod, *mounted) for mounted in _mounted(pod))
        return self._found[uid]

    def _is_there(self, pod: Obj, claim: str, folder: str) -> bool:
        found = self._objects.store.get(PVCS, pod["metadata"]["namespace"], claim)
        files = ((found or {"metadata": {}})["metadata"].get("annotations") or {}).get(FILES)
        return files is None or any(f"{path}/".startswith(f"{folder}/" if folder else "") for path in files.split())


def _is_scheduler(pod: Obj) -> bool:
    """An LLMInferenceService's, which speaks gRPC only; its container is called `main` too."""
    return str((pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component")).endswith("-router-scheduler")


def _mounted(pod: Obj) -> list[tuple[str, str]]:
    """(claim, folder) of each claim that a container mounts."""
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or []
        if volume.get("persistentVolumeClaim")
    }
    mounts = [mount for container in pod["spec"]["containers"] for mount in container.get("volumeMounts") or []]
    return [(claims[mount["name"]], mount.get("subPath", "")) for mount in mounts if mount["name"] in claims]


def _name(pod: Obj) -> str:
    """What the server calls its model: by itself, else as it was told."""
    if own := (pod["metadata"].get("annotations") or {}).get(MODEL_NAME):
        return str(own)
    labels = pod["metadata"].get("labels") or {}
    words = [str(word) for container in pod["spec"]["containers"] for word in container.get("args") or []]
    told = next((match[1] for word in words if (match := _NAME_FLAG.fullmatch(word))), None)
    return told or labels.get("serving.kserve.io/inferenceservice") or labels.get("app.kubernetes.io/name") or ""


def _kserve(name: str, path: str, state: str) -> Response:
    """KServe's Python server: V1 and V2."""
    asked = {f"/v1/models/{name}", f"/v2/models/{name}/ready"}
    if path == "/v1/models":
        return JSONResponse({"models": [] if state == "missing" else [name]})
    if path.startswith(("/v1/models/", "/v2/models/")) and (path not in asked or state == "missing"):
        model = path.removesuffix("/ready").rpartition("/")[2]
        return JSONResponse({"error": f"Model with name {model} does not exist."}, 404)
    if path not in asked:
        return JSONResponse({"detail": "Not Found"}, 404)
    if state == "loading":
        return JSONResponse({"error": f"Model with name {name} is not ready."}, 503)
    return JSONResponse({"name": name, "ready": True})


def _prediction(name: str, path: str, state: str, body: bytes) -> Response:
    """One number for each instance; the protocols' own shapes."""
    if state in {"missing", "loading"}:
        return _kserve(name, path, state)
    if state == "broken":
        return JSONResponse({"error": "ValueError : Found array with 0 feature(s)"}, 500)
    payload: Any = None
    with suppress(ValueError):
        payload = json.loads(body)
    if not isinstance(payload, dict):
        return JSONResponse({"error": "Unrecognized request format"}, 400)
    answers = {
        f"/v1/models/{name}:predict": {"predictions": [1] * len(payload.get("instances") or [])},
        f"/v2/models/{name}/infer": {"model_name": name, "outputs": [{"name": "predict", "shape": [1], "data": [1]}]},
        "/v1/completions": {"object": "text_completion", "choices": [{"index": 0, "text": "…"}]},
    }
    return JSONResponse(answers[path]) if path in answers else JSONResponse({"detail": "Not Found"}, 404)


def _metrics(requests: str | None) -> Response:
    if requests is None:
        return JSONResponse({"detail": "Not Found"}, 404)
    names = (("running", requests), ("waiting", "0"))
    lines = [f'vllm:num_requests_{name}{{engine="0",model_name="m"}} {value}.0' for name, value in names]
    return Response("\n".join(["# TYPE vllm:num_requests_running gauge", *lines, ""]), media_type="text/plain")


def _openai(name: str, path: str, state: str) -> Response:
    """vLLM: it lists what it serves, asleep or not."""
    if path == "/is_sleeping" and state == "asleep":
        return JSONResponse({"is_sleeping": True})
    if path != "/v1/models":
        return JSONResponse({"detail": "Not Found"}, 404)
    return JSONResponse(
        {"object": "list", "data": [] if state in {"missing", "loading"} else [{"id": name, "object": "model"}]}
    )
