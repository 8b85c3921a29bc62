"""What a model server lists: the models that it has, by its own names, and whether each is loaded. Pure.

A model may be called otherwise than its resource: a folder of Triton's repository, the name in MLServer's
model-settings.json, in TorchServe's config.properties or OpenVINO's config.json. Seen, or read in their sources:
- V2 `POST /v2/repository/index`: Triton, MLServer: [{"name", "version", "state": "READY", "reason"}].
- V1 `GET /v1/models`, V2 `GET /v2/models`: KServe's Python servers: {"models": [NAME]}, loaded or not.
- `GET /v1/config`: OpenVINO: {NAME: {"model_version_status": [{"state"}]}}.
- OpenAI `GET /v1/models`: {"data": [{"id"}]}, all served.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from functions.adapters.answers import Reply, shown
from functions.adapters.kserve.served import Protocol
from functions.lifecycle.observation import Answered

MOST_LISTED = 1000
_NAMED = 5
_STATES = {"READY": Answered.LOADED, "AVAILABLE": Answered.LOADED}
_ON_THEIR_WAY = frozenset({"LOADING", "START", "UNKNOWN"})
"""UNKNOWN is MLServer's word for a model that it has begun to load."""


@dataclass(frozen=True)
class Listing:
    """A request whose answer lists models, and the protocol by which each of them is then asked for a prediction.

    `tells_loaded`: whether it says of each model that it is loaded; else it only has it.
    """

    method: str
    path: str
    protocol: Protocol
    tells_loaded: bool = True


V1_LIST = Listing("GET", "/v1/models", Protocol.V1, tells_loaded=False)
V2_INDEX = Listing("POST", "/v2/repository/index", Protocol.V2)
V2_LIST = Listing("GET", "/v2/models", Protocol.V2, tells_loaded=False)
CONFIG = Listing("GET", "/v1/config", Protocol.V1)
LISTINGS = {
    Protocol.V2: (V2_INDEX, V2_LIST, V1_LIST, CONFIG),
    Protocol.V1: (V1_LIST, CONFIG, V2_INDEX, V2_LIST),
    Protocol.OPENAI: (V1_LIST,),
}
"""By the protocol that the server was found to speak."""


@dataclass(frozen=True)
class Listed:
    """One model of a server: `what` is LOADED, LOADING or MISSING, `said` the server's word for it."""

    name: str
    what: Answered
    said: str = ""
    has_reason: bool = False


@dataclass(frozen=True)
class Has:
    """What a list comes to: `what` as of a pod's answer, `said` for a person, `name` the one model that decides.

    `certain`: it says more of that model than the answer to a request for it by its name.
    """

    what: Answered
    said: str
    name: str = ""
    certain: bool = True


def listed(listing: Listing, reply: Reply) -> tuple[Listed, ...] | None:
    """None where the answer is no list, as far as this listing goes. The same model in several versions stands once."""
    if reply.status != HTTPStatus.OK or reply.odd:
        return None
    match listing.path:
        case V2_INDEX.path:
            found = _of_index(reply.parsed)
        case CONFIG.path:
            found = _of_config(reply.parsed)
        case _:
            found = _of_names(reply.document)
    return None if found is None else tuple(_best_versions(found))


def has(models: Sequence[Listed], names: Sequence[str]) -> Has:
    """Whether one of them is the model. One that is called as it should be goes first, then the only one that is loaded."""
    if mine := next((one for one in models if one.name in names), None):
        certain = mine.what is Answered.LOADING or mine.has_reason
        return Has(mine.what, _told(mine), mine.name, certain=certain)
    asked = shown(" or ".join(names), 100)
    loaded = [one for one in models if one.what is Answered.LOADED]
    if len(loaded) == 1:
        return Has(Answered.LOADED, f"its only loaded model is called {_name(loaded[0])}", loaded[0].name)
    if loaded:
        return Has(
            Answered.UNASKABLE,
            f"it has {len(loaded)} models loaded ({_names(loaded)}) and none is called {asked}: which one is meant is not known "
            "until one has that name, or a smoke test with a path asks for it",
        )
    if loading := [one for one in models if one.what is Answered.LOADING]:
        return Has(Answered.LOADING, f"it is loading {_names(loading)}")
    if models:
        return Has(
            Answered.MISSING, f"none of its models is loaded: {', '.join(_told(one) for one in models[:_NAMED])}"
        )
    return Has(Answered.MISSING, "it lists no model")


def _of_index(document: Any) -> list[Listed] | None:
    """Triton gives no state to a model that was never loaded."""
    if not isinstance(document, list) or len(document) > MOST_LISTED:
        return None
    found: list[Listed] = []
    for one in document:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            return None
        found.append(_listed(one["name"], one.get("state"), one.get("reason")))
    return found


def _of_config(document: Any) -> list[Listed] | None:
    if not isinstance(document, dict) or len(document) > MOST_LISTED:
        return None
    found: list[Listed] = []
    for name, value in document.items():
        versions = value.get("model_version_status") if isinstance(value, dict) else None
        if not isinstance(versions, list):
            return None
        states = [one.get("state") for one in versions if isinstance(one, dict)]
        found.extend(_listed(name, state, None) for state in states or [None])
    return found or None


def _of_names(document: dict[str, Any]) -> list[Listed] | None:
    """KServe's names; OpenAI's models, of which a list that is empty is one only where it says that it is one."""
    names, models = document.get("models"), document.get("data")
    if isinstance(models, list) and len(models) <= MOST_LISTED:
        if not all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in models):
            return None
        return [Listed(one["id"], Answered.LOADED) for one in models] if models or "object" in document else None
    if isinstance(names, list) and len(names) <= MOST_LISTED and all(isinstance(name, str) for name in names):
        return [Listed(name, Answered.LOADED) for name in names]
    return None


def _listed(name: str, state: Any, reason: Any) -> Listed:
    word = state if isinstance(state, str) else ""
    what = Answered.LOADING if word in _ON_THEIR_WAY else _STATES.get(word, Answered.MISSING)
    why = f" ({shown(reason, 100)})" if isinstance(reason, str) and reason.strip() else ""
    return Listed(
        name, what, f"{shown(word, 40) or 'not loaded'}{why}", has_reason=bool(why) and what is Answered.MISSING
    )


_BEST_FIRST = (Answered.LOADED, Answered.LOADING, Answered.MISSING)


def _best_versions(models: Sequence[Listed]) -> Iterator[Listed]:
    best: dict[str, Listed] = {}
    for one in models:
        known = best.get(one.name)
        if known is None or _BEST_FIRST.index(one.what) < _BEST_FIRST.index(known.what):
            best[one.name] = one
    return iter(best.values())


def _names(models: Sequence[Listed]) -> str:
    more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
    return ", ".join(_name(one) for one in models[:_NAMED]) + more


def _name(model: Listed) -> str:
    return shown(model.name, 60)


def _told(model: Listed) -> str:
    return f"{_name(model)} is {model.said}" if model.said else f"it has {_name(model)}"
