"""POST …/stop and …/start of one model."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from events.commands import Verb
from events.model import ModelRef
from functions.adapters.identity import User
from functions.api.bodies import Body, From, Origin, parse_command, take_queue
from functions.api.context import Api, Caller, TheApi
from functions.api.contract import COMMAND_RESPONSES, KEY_HEADER, START_BODY, STOP_BODY, CommandAnswer
from functions.api.naming import InNamespace, MaybeNamespace, Named, OfKind, make_ref, permitted, resolve
from functions.api.steps import run_command

router = APIRouter(prefix="/api/v1", tags=["stop and start"])

_STOP = {
    "response_model": CommandAnswer,
    "status_code": 202,
    "responses": COMMAND_RESPONSES,
    "openapi_extra": {"requestBody": STOP_BODY, "parameters": [KEY_HEADER]},
}
_START = {**_STOP, "openapi_extra": {"requestBody": START_BODY, "parameters": [KEY_HEADER]}}


@router.post("/namespaces/{namespace}/models/{name}/stop", summary="Stop a model", **_STOP)
async def stop(
    api: TheApi, user: Caller, namespace: InNamespace, name: Named, kind: OfKind, body: Body, origin: From
) -> JSONResponse:
    """No pod is left, no request wakes it, configuration and generation stay. 202: accepted; 200: it was already so.

    Works without Redis too (`recorded: false`).
    """
    ref = await permitted(api, user, make_ref(namespace, name, kind), "patch")
    return await _answer(api, "stop", ref, body, user, origin)


@router.post("/namespaces/{namespace}/models/{name}/start", summary="Start a model", **_START)
async def start(
    api: TheApi, user: Caller, namespace: InNamespace, name: Named, kind: OfKind, body: Body, origin: From
) -> JSONResponse:
    """As it was before the stop. While it is still stopping: 409 StopInProgress, unless `queue` is true."""
    ref = await permitted(api, user, make_ref(namespace, name, kind), "patch")
    return await _answer(api, "start", ref, body, user, origin)


@router.post("/models/{name}/stop", summary="Stop a model by its name alone", **_STOP)
async def stop_by_name(
    api: TheApi, user: Caller, name: Named, namespace: MaybeNamespace, kind: OfKind, body: Body, origin: From
) -> JSONResponse:
    """In ?namespace=, else the default namespace, else the only one that has it; otherwise 409 with the candidates."""
    ref = await resolve(api, user, name, namespace, kind, "patch")
    return await _answer(api, "stop", ref, body, user, origin)


@router.post("/models/{name}/start", summary="Start a model by its name alone", **_START)
async def start_by_name(
    api: TheApi, user: Caller, name: Named, namespace: MaybeNamespace, kind: OfKind, body: Body, origin: From
) -> JSONResponse:
    """In ?namespace=, else the default namespace, else the only one that has it; otherwise 409 with the candidates."""
    ref = await resolve(api, user, name, namespace, kind, "patch")
    return await _answer(api, "start", ref, body, user, origin)


async def _answer(
    api: Api, verb: Verb, ref: ModelRef, body: dict[str, Any], user: User, origin: Origin
) -> JSONResponse:
    queue = take_queue(body) if verb == "start" else False
    command = parse_command(verb, body, user)
    answer = await run_command(api, ref, command, user, origin, queue=queue)
    return JSONResponse(dict(answer.body), answer.status, {"X-Correlation-ID": origin.correlation_id})
