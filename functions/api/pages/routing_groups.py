"""Where the traffic of a stopped LLMInferenceService goes: KServe's routing groups share one route by weight."""

from collections.abc import Iterable
from dataclasses import dataclass

from events.model import Kind, ModelRef
from functions.adapters.identity import User
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.pods import name_of
from functions.api.context import Api
from functions.api.pages.models_of_kind import models_of_kind
from functions.lifecycle.observation import STOP_ANNOTATION
from functions.object_errors import Stage, one_object


@dataclass(frozen=True)
class Group:
    """`takers` are the other members that get requests, with their weights, once the models of the stop get none."""

    name: str
    takers: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Member:
    namespace: str
    name: str
    group: str
    weight: int
    stopped: bool


async def groups_of(api: Api, user: User, refs: Iterable[ModelRef]) -> dict[ModelRef, Group] | None:
    """By model, those that are in a group. None: not everything could be read, so the answer is unknown."""
    llms = [ref for ref in refs if ref.kind is Kind.LLM_INFERENCE_SERVICE]
    models = await models_of_kind(api, user, Kind.LLM_INFERENCE_SERVICE, (ref.namespace for ref in llms))
    if models is None:
        return None
    members: list[_Member] = []
    for model in models:
        with one_object(Stage.MODEL, name_of(model.object)):
            if member := _member(model):
                members.append(member)
    return _takers(llms, members)


def _member(model: Model) -> _Member | None:
    route = (model.spec.get("router") or {}).get("route") or {}
    group, weight = route.get("group"), route.get("weight")
    stopped = (model.annotations or {}).get(STOP_ANNOTATION, "").lower() == "true"
    meta = model.metadata
    return _Member(meta["namespace"], meta["name"], group, 1 if weight is None else weight, stopped) if group else None


def _takers(llms: list[ModelRef], members: list[_Member]) -> dict[ModelRef, Group]:
    ending = {(ref.namespace, ref.name) for ref in llms}
    names = {(one.namespace, one.name): one.group for one in members}
    found: dict[ModelRef, Group] = {}
    for ref in llms:
        if group := names.get((ref.namespace, ref.name)):
            takers = [
                (one.name, one.weight)
                for one in members
                if (one.namespace, one.group) == (ref.namespace, group)
                and (one.namespace, one.name) not in ending
                and one.weight
                and not one.stopped
            ]
            found[ref] = Group(group, tuple(sorted(takers)))
    return found
