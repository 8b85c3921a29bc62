"""POST …/stop and …/start of one model."""

# ruff: noqa: FAST003 - the dependencies read the path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from events.commands import Verb
from events.model import ModelRef
from functions.api.bodies import Calling, CallNow, parse_command, take_queue
from functions.api.contract import COMMAND_RESPONSES, KEY_HEADER, START_BODY, STOP_BODY, CommandAnswer
from functions.api.naming import PatchByName, PatchInPath
from functions.api.steps import run_command

router = APIRouter(prefix="/api/v1", tags=["stop and start"])

_COMMON: dict[str, Any] = {"response_model": CommandAnswer, "status_code": 202, "responses": COMMAND_RESPONSES}
_STOP: dict[str, Any] = {**_COMMON, "openapi_extra": {"requestBody": STOP_BODY, "parameters": [KEY_HEADER]}}
_START: dict[str, Any] = {**_COMMON, "openapi_extra": {"requestBody": START_BODY, "parameters": [KEY_HEADER]}}


@router.post("/namespaces/{namespace}/models/{name}/stop", summary="Stop a model", **_STOP)
async def stop(ref: PatchInPath, call: CallNow) -> JSONResponse:
    """No pod is left, no request wakes it, configuration and generation stay. 202: accepted; 200: it was already so.

    Works without Redis too (`recorded: false`).
    """
    return await _answer("stop", ref, call)


@router.post("/namespaces/{namespace}/models/{name}/start", summary="Start a model", **_START)
async def start(ref: PatchInPath, call: CallNow) -> JSONResponse:
    """As it was before the stop. While it is still stopping: 409 StopInProgress, unless `queue` is true."""
    return await _answer("start", ref, call)


@router.post("/models/{name}/stop", summary="Stop a model by its name alone", **_STOP)
async def stop_by_name(ref: PatchByName, call: CallNow) -> JSONResponse:
    """In ?namespace=, else the default namespace, else the only one that has it; otherwise 409 with the candidates."""
    return await _answer("stop", ref, call)


@router.post("/models/{name}/start", summary="Start a model by its name alone", **_START)
async def start_by_name(ref: PatchByName, call: CallNow) -> JSONResponse:
    """In ?namespace=, else the default namespace, else the only one that has it; otherwise 409 with the candidates."""
    return await _answer("start", ref, call)


async def _answer(verb: Verb, ref: ModelRef, call: Calling) -> JSONResponse:
    fields = dict(call.body)
    queue = take_queue(fields) if verb == "start" else False
    command = parse_command(verb, fields)
    answer = await run_command(call.api, ref, command, call.user, call.origin, queue=queue)
    headers = {"X-Correlation-ID": call.origin.correlation_id}
    if answer.ahead is not None:
        headers["Location"] = f"/api/v1/namespaces/{ref.namespace}/models/{ref.name}/status?kind={ref.kind.value}"
    return JSONResponse(dict(answer.body), answer.status, headers)
