"""What an HTTP answer of a model server says about a model. Pure; the servers' own words decide, not their status alone.

Seen on KServe's Python servers, Triton, MLServer, TensorFlow Serving and vLLM, or read in their sources:
- V1 `GET /v1/models/{m}`: 200 {"name", "ready"}; 404 {"error": "Model with name … does not exist."}; 503 not ready yet.
  TensorFlow Serving: 200 {"model_version_status": [{"state": "AVAILABLE"}]}.
- V2 `GET /v2/models/{m}/ready`: 200; KServe 404 with that error, 503; MLServer 404 "Model … not found", 400 not ready;
  Triton 400 for either.
- OpenAI `GET /v1/models`: 200 {"data": [{"id"}]}: vLLM lists only what it serves.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from functions.adapters.kserve.served import Protocol
from functions.lifecycle.observation import Answered

_SAYS_MISSING = ("does not exist", "not found", "unknown model", "could not find", "no versions of servable")
_SHOWN = 160


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """{} where the body is no JSON object."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def said(self) -> str:
        """The server's own words, short."""
        error = self.document.get("error")
        text = error if isinstance(error, str) else self.body.decode(errors="replace")
        return f"{self.status} {' '.join(text.split())[:_SHOWN]}".strip()


def paths(protocol: Protocol, name: str) -> tuple[str, ...]:
    """What to ask, in order, until one is understood."""
    match protocol:
        case Protocol.V1:
            return (f"/v1/models/{name}",)
        case Protocol.V2:
            return (f"/v2/models/{name}/ready",)
        case Protocol.OPENAI:
            return ("/v1/models", "/openai/v1/models")
        case Protocol.GRPC:
            return ()


def judge(protocol: Protocol, reply: Reply, names: Sequence[str]) -> Answered | None:
    """None: the server does not speak this protocol."""
    match protocol:
        case Protocol.V1:
            return _v1(reply)
        case Protocol.V2:
            return _v2(reply)
        case Protocol.OPENAI:
            return _listed(reply, names)
        case Protocol.GRPC:
            return None


def _v1(reply: Reply) -> Answered | None:
    document = reply.document
    if reply.status == HTTPStatus.OK and "model_version_status" in document:
        states = {str(version.get("state")) for version in document["model_version_status"]}
        return Answered.LOADED if "AVAILABLE" in states else Answered.LOADING
    if reply.status == HTTPStatus.OK and "ready" in document:
        return Answered.LOADED if str(document["ready"]).lower() == "true" else Answered.LOADING
    return _refused(reply)


def _v2(reply: Reply) -> Answered | None:
    if reply.status == HTTPStatus.OK:
        ready = reply.document.get("ready", True)
        return Answered.LOADED if str(ready).lower() == "true" else Answered.LOADING
    if reply.status == HTTPStatus.BAD_REQUEST:
        return _refused(reply) or Answered.LOADING
    return _refused(reply)


def _refused(reply: Reply) -> Answered | None:
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Answered.LOADING
    error = reply.document.get("error")
    if reply.status < HTTPStatus.BAD_REQUEST or not isinstance(error, str):
        return None
    words = error.lower()
    about_a_model = "model" in words or "servable" in words
    return Answered.MISSING if about_a_model and any(missing in words for missing in _SAYS_MISSING) else None


def _listed(reply: Reply, names: Sequence[str]) -> Answered | None:
    """Any model that an OpenAI server lists is served; KServe's own V1 list names the loaded ones. `names` (): any will do."""
    document = reply.document
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Answered.LOADING
    if reply.status != HTTPStatus.OK:
        return None
    if isinstance(document.get("data"), list):
        return Answered.LOADED if document["data"] else Answered.MISSING
    if isinstance(document.get("models"), list):
        found = set(document["models"]) & set(names) if names else document["models"]
        return Answered.LOADED if found else Answered.MISSING
    return None
