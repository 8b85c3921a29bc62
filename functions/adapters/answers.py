"""What an HTTP answer of a model server says about a model. Pure; the servers' own words decide, not their status alone.

Seen on KServe's Python servers, Triton, MLServer, TensorFlow Serving and vLLM, or read in their sources:
A status alone proves nothing: a metrics port, a web server and a login page answer 200 to any path.
- V1 `GET /v1/models/{m}`: 200 {"name", "ready"}; 404 {"error": "Model with name … does not exist."}; 503 not ready yet.
  TensorFlow Serving: 200 {"model_version_status": [{"state": "AVAILABLE"}]}.
- V2 `GET /v2/models/{m}/ready`: 200, of KServe with {"name", "ready"}, else empty: then `GET /v2/models/{m}` {"name"} proves it.
  KServe 404 with that error, 503; MLServer 404 "Model … not found", 400 not ready; Triton 400 for either, an older one
  without a word.
- OpenAI `GET /v1/models`: 200 {"data": [{"id"}]}: vLLM lists only what it serves, also while it sleeps.
- vLLM in development mode `GET /is_sleeping`: {"is_sleeping": true}; else 404.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

from events.errors import ModelswitchError
from functions.adapters.bounded_json import parse_json
from functions.adapters.kserve.served import Protocol
from functions.adapters.segments import quoted
from functions.lifecycle.observation import Answered

_SAYS_MISSING = ("does not exist", "not found", "unknown model", "could not find", "no versions of servable")
_SHOWN = 160
SLEEPING_PATH = "/is_sleeping"


class Unreached(ModelswitchError):
    """No connection to the server came about: the network between, not the model, may be why."""


class NotPermitted(Unreached):
    """The API server refuses to connect us to the pod: the right to do so is missing."""


class NotHttp(Unreached):
    """The connection was taken and closed without an answer in HTTP: as a server does that speaks TLS."""


class NoCredentials(ModelswitchError):
    """Why there are none to give to a server that wants some, for a person."""


class Silent(ModelswitchError):
    """The connection was taken, and nothing came."""


@dataclass(frozen=True)
class Reply:
    """`odd`: why its body can't be used, "" where it can."""

    status: int
    body: bytes
    odd: str = ""

    @cached_property
    def parsed(self) -> Any:
        """None where the body is not JSON."""
        try:
            return parse_json(self.body)
        except ValueError:
            return None

    @property
    def is_object(self) -> bool:
        return isinstance(self.parsed, dict)

    @property
    def document(self) -> dict[str, Any]:
        """{} where the body is not a JSON object."""
        return self.parsed if isinstance(self.parsed, dict) else {}

    @property
    def said(self) -> str:
        """The server's own words, short."""
        error = self.document.get("error")
        text = self.odd or (error if isinstance(error, str) else self.body[: _SHOWN * 8].decode(errors="replace"))
        return f"{self.status} {shown(text)}".strip()


def shown(text: str, most: int = _SHOWN) -> str:
    """Text from outside, for a terminal, a page and a record: on one line, short, without control characters."""
    line = " ".join(text[: most * 8].split())[:most]
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)


def paths(protocol: Protocol, name: str) -> tuple[str, ...]:
    """What to GET, in order, until one is understood. () for a name that can't stand in a path."""
    segment = quoted(name)
    match protocol:
        case Protocol.V1:
            return (f"/v1/models/{segment}",) if segment else ()
        case Protocol.V2:
            return (f"/v2/models/{segment}/ready",) if segment else ()
        case Protocol.OPENAI:
            return ("/v1/models", "/openai/v1/models")
        case Protocol.GRPC:
            return ()


def predict_path(protocol: Protocol, path: str, reply: Reply) -> str:
    """Where a server that answered `reply` to GET `path` takes predictions; "" if its answer does not tell."""
    match protocol:
        case Protocol.V1:
            return f"{path}:predict"
        case Protocol.V2:
            return f"{path.removesuffix('/ready')}/infer"
        case Protocol.OPENAI if "models" in reply.document:
            return _predict_path_of_listed(reply.document["models"])
        case Protocol.OPENAI:
            return f"{path.removesuffix('/models')}/completions"
        case Protocol.GRPC:
            return ""


def _predict_path_of_listed(listed: Any) -> str:
    """A server that was given no name lists its own: KServe's list of names, which is not OpenAI's."""
    segment = quoted(listed[0]) if isinstance(listed, list) and listed else None
    return f"/v1/models/{segment}:predict" if segment else ""


def judge(protocol: Protocol, reply: Reply, names: Sequence[str]) -> Answered | None:
    """None: the server does not speak this protocol. UNASKABLE: it does, and what it says can't be meant so."""
    if reply.odd:
        return Answered.UNASKABLE
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
        return _of_versions(document["model_version_status"])
    if reply.status == HTTPStatus.OK and "ready" in document:
        named = isinstance(document.get("name"), str)
        return _of_ready(document["ready"]) if named else Answered.UNASKABLE
    return _refused(reply)


def _of_versions(versions: Any) -> Answered:
    if not isinstance(versions, list) or not all(isinstance(version, dict) for version in versions):
        return Answered.UNASKABLE
    states = [version.get("state") for version in versions]
    if not all(isinstance(state, str) for state in states):
        return Answered.UNASKABLE
    return Answered.LOADED if "AVAILABLE" in states else Answered.LOADING


def _of_ready(ready: Any) -> Answered:
    if not isinstance(ready, (bool, str)):
        return Answered.UNASKABLE
    return Answered.LOADED if str(ready).lower() == "true" else Answered.LOADING


def _v2(reply: Reply) -> Answered | None:
    if reply.status == HTTPStatus.OK:
        strange = bool(reply.body.strip()) and not reply.is_object
        return Answered.UNASKABLE if strange else _of_ready(reply.document.get("ready", True))
    if reply.status == HTTPStatus.BAD_REQUEST:
        speaks = not reply.body.strip() or isinstance(reply.document.get("error"), str)
        return _refused(reply) or (Answered.LOADING if speaks else None)
    return _refused(reply)


def proves_itself(protocol: Protocol, reply: Reply) -> bool:
    """Whether the answer says by its body that it is one: an empty one may come from any server, to any path."""
    if protocol is not Protocol.V2:
        return True
    if reply.status == HTTPStatus.OK:
        return "ready" in reply.document and isinstance(reply.document.get("name"), str)
    return reply.status != HTTPStatus.BAD_REQUEST or bool(reply.body.strip())


def may_want_tls(reply: Reply) -> bool:
    """Whether a server that speaks TLS may have answered so to plain HTTP: nginx, Apache, Go and Tomcat answer 400 and why."""
    return reply.status == HTTPStatus.BAD_REQUEST and bool(reply.body.strip()) and not reply.is_object


def wants_credentials(reply: Reply) -> bool:
    """Whether the server, or a proxy before it, requires credentials."""
    return reply.status in {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    }


def is_asleep(reply: Reply) -> bool:
    """Whether it is what a sleeping vLLM answers to `GET /is_sleeping`."""
    return reply.status == HTTPStatus.OK and not reply.odd and reply.document.get("is_sleeping") is True


def is_metadata(reply: Reply, name: str) -> bool:
    """Whether it is what a V2 server answers to `GET /v2/models/{name}`."""
    return reply.status == HTTPStatus.OK and not reply.odd and reply.document.get("name") == name


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
    if "data" in document:
        return _served(document["data"], is_a_list="object" in document)
    if "models" not in document:
        return None
    listed = _any_of(document["models"], str)
    if listed is Answered.LOADED and names:
        return Answered.LOADED if set(document["models"]) & set(names) else Answered.MISSING
    return listed


def _served(listed: Any, *, is_a_list: bool) -> Answered | None:
    """OpenAI's models, each with its id; an empty `data` is a list only where it says so."""
    what = _any_of(listed, dict)
    if what is Answered.LOADED and not all(isinstance(one.get("id"), str) for one in listed):
        return Answered.UNASKABLE
    return None if what is Answered.MISSING and not is_a_list else what


def _any_of(listed: Any, kind: type) -> Answered:
    if not isinstance(listed, list) or not all(isinstance(one, kind) for one in listed):
        return Answered.UNASKABLE
    return Answered.LOADED if listed else Answered.MISSING
