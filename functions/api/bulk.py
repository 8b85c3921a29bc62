"""POST /api/v1/models:stop and :start: many models at once, an answer for each."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field

from events.commands import ModelCommand, Verb
from events.model import Frozen, Kind, ModelRef
from functions.adapters.cluster import Changed, Missing
from functions.adapters.identity import NotAllowed, User
from functions.api.bodies import Calling, CallNow, Origin, parse, parse_command, take_queue
from functions.api.context import Api
from functions.api.contract import (
    BULK_START_BODY,
    BULK_STOP_BODY,
    KEY_HEADER,
    MOST_MODELS,
    BulkAnswer,
    BulkItem,
    BulkModel,
    problems,
)
from functions.api.listing import Wanted, list_fitting, parse_labels
from functions.api.naming import Name, make_ref, resolve
from functions.api.problems import ApiError, invalid, of_cluster
from functions.api.steps import run_command
from functions.command_order import Place
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Observation

router = APIRouter(prefix="/api/v1", tags=["stop and start"])
AT_ONCE = 16
WORTH_A_LIST = 8
_RESPONSES = {
    200: {"description": "An answer for each model, in the order asked for."},
    **problems(400, 401, 403, 413, 422, 502, 503),
}


class Selection(Frozen):
    models: tuple[BulkModel, ...] | None = None
    selector: str | None = Field(default=None, max_length=2000)
    namespaces: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Bulk:
    """One bulk request. `whole`: namespaces and kinds where the caller may patch all models, without a check per model."""

    api: Api
    user: User
    command: ModelCommand
    origin: Origin
    queue: bool
    whole: frozenset[tuple[str, Kind]] = frozenset()
    looked: Mapping[ModelRef, Observation] = field(default_factory=dict)


@router.post(
    "/models:stop",
    summary="Stop many models",
    response_model=BulkAnswer,
    responses=_RESPONSES,
    openapi_extra={"requestBody": BULK_STOP_BODY, "parameters": [KEY_HEADER]},
)
async def stop_many(call: CallNow) -> JSONResponse:
    """By name, or by label over namespaces; 1,000 at most, 16 at a time. Each model gets its own answer."""
    return await _run("stop", call)


@router.post(
    "/models:start",
    summary="Start many models",
    response_model=BulkAnswer,
    responses=_RESPONSES,
    openapi_extra={"requestBody": BULK_START_BODY, "parameters": [KEY_HEADER]},
)
async def start_many(call: CallNow) -> JSONResponse:
    """By name, or by label over namespaces; 1,000 at most, 16 at a time. Each model gets its own answer."""
    return await _run("start", call)


async def _run(verb: Verb, call: Calling) -> JSONResponse:
    body, origin = dict(call.body), call.origin
    queue = take_queue(body) if verb == "start" else False
    selecting = {name: body.pop(name) for name in Selection.model_fields if name in body}
    bulk = _Bulk(call.api, call.user, parse_command(verb, body), origin, queue)
    chosen = await _choose(call.api, call.user, parse(Selection, selecting))
    places = [call.arrival.join(model.name) if call.arrival else None for model in chosen]
    bulk = replace(bulk, whole=await _whole(bulk, chosen))
    if verb == "stop":
        bulk = replace(bulk, looked=await _look_at_all(bulk, chosen))
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(model: BulkModel, place: Place | None) -> BulkItem:
        try:
            async with gate:
                return await _one(bulk, model, place)
        finally:
            if place:
                place.leave()

    items = await asyncio.gather(*map(one, chosen, places))
    accepted = sum(item.status < 300 for item in items)
    answer = BulkAnswer(items=items, accepted=accepted, failed=len(items) - accepted)
    return JSONResponse(answer.model_dump(mode="json"), 200, {"X-Correlation-ID": origin.correlation_id})


async def _choose(api: Api, user: User, selection: Selection) -> list[BulkModel]:
    """Each model once."""
    if (selection.models is None) is (selection.selector is None):
        raise invalid("expected either models or selector", 'Send {"models": [{"namespace": …, "name": …}]}.')
    if selection.models is not None:
        if selection.namespaces is not None:
            raise invalid("namespaces: goes with selector, not with models", "Name each model's namespace in models.")
        chosen = list(dict.fromkeys(selection.models))
    else:
        chosen = await _select(api, user, selection)
    if len(chosen) > MOST_MODELS:
        raise invalid(f"{len(chosen)} models; expected at most {MOST_MODELS}", "Send them in several requests.")
    return chosen


async def _select(api: Api, user: User, selection: Selection) -> list[BulkModel]:
    labels = parse_labels([selection.selector or ""])
    if not labels:
        raise invalid("selector: it selects nothing in particular", "Name a label: team=search.")
    places = selection.namespaces
    if places is not None:
        places = tuple(make_ref(place, "any", None).namespace for place in places)
    wanted = Wanted(frozenset(places) if places is not None else None, labels=labels)
    fitting = await list_fitting(api, user, wanted)
    return [BulkModel(namespace=status.namespace, name=status.name, kind=status.kind) for status in fitting]


async def _whole(bulk: _Bulk, chosen: list[BulkModel]) -> frozenset[tuple[str, Kind]]:
    """One review per namespace and kind; where that says no, one per model follows."""
    places = sorted({(model.namespace, model.kind) for model in chosen if model.namespace})
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(namespace: str, kind: Kind) -> bool:
        async with gate:
            make_ref(namespace, "any", kind)
            return await bulk.api.access.may(bulk.user, "patch", kind, namespace)

    answers = await asyncio.gather(*(ask(*place) for place in places), return_exceptions=True)
    return frozenset(place for place, answer in zip(places, answers, strict=True) if answer is True)


async def _look_at_all(bulk: _Bulk, chosen: list[BulkModel]) -> dict[ModelRef, Observation]:
    """Two lists for each namespace where many are to stop; a list that fails is no answer, each step looks for itself."""
    groups: dict[tuple[str, Kind], set[ModelRef]] = defaultdict(set)
    for model in chosen:
        if model.namespace and (model.namespace, model.kind) in bulk.whole:
            with suppress(ApiError):  # a name that can't be is told in its own answer
                groups[model.namespace, model.kind].add(make_ref(model.namespace, model.name, model.kind))
    looked: dict[ModelRef, Observation] = {}
    for refs in groups.values():
        if len(refs) < WORTH_A_LIST:
            continue
        with suppress(StepError, Missing):
            looked |= await bulk.api.parts.observer.observe_many(refs)
    return looked


async def _one(bulk: _Bulk, model: BulkModel, place: Place | None) -> BulkItem:
    item = BulkItem(namespace=model.namespace, name=model.name, kind=model.kind.value, status=200)
    try:
        ref = await _permitted(bulk, model)
        item.namespace = ref.namespace
        origin = replace(bulk.origin, id=f"{bulk.origin.id} {ref.subject}", place=place)
        answer = await run_command(
            bulk.api, ref, bulk.command, bulk.user, origin, queue=bulk.queue, looked=bulk.looked.get(ref)
        )
    except StepError as error:
        return _refused(item, error)
    except (Missing, Changed) as error:
        return _refused(item, of_cluster(error))
    return item.model_copy(
        update={
            "status": answer.status,
            "changed": bool(answer.body["changed"]),
            "queued": answer.ahead is not None,
            "ahead": answer.ahead,
            "message": answer.body.get("message"),
        }
    )


def _refused(item: BulkItem, error: StepError) -> BulkItem:
    return item.model_copy(
        update={
            "status": error.status,
            "code": str(error.code),
            "message": error.message,
            "next_action": error.next_action,
            "retry_after": error.retry_after,
        }
    )


async def _permitted(bulk: _Bulk, model: BulkModel) -> ModelRef:
    if model.namespace is None:
        return await resolve(bulk.api, bulk.user, Name(model.name, None, model.kind), "patch")
    ref = make_ref(model.namespace, model.name, model.kind)
    if (ref.namespace, ref.kind) in bulk.whole:
        return ref
    if not await bulk.api.access.may(bulk.user, "patch", ref.kind, ref.namespace, ref.name):
        raise NotAllowed(bulk.user, "patch", ref.kind, ref.namespace)
    return ref
