"""Whether everything that this process needs is up."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from events.errors import ModelswitchError
from functions.api.context import Api, TheApi, authenticate
from functions.api.contract import problems
from functions.lifecycle.errors import Code, StepError
from functions.logs import logger
from functions.problem_document import response

router = APIRouter(tags=["health"])
PEER_SECONDS = 2.0


_HEALTHY: dict[str, Any] = {
    "type": "object",
    "properties": {"status": {"const": "ok"}, "warnings": {"type": "array", "items": {"type": "string"}}},
    "required": ["status"],
}
_HEALTH_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Everything answers.", "content": {"application/json": {"schema": _HEALTHY}}},
    503: {**problems(503)[503], "description": "NotReady: `missing` names what does not answer (Retry-After)"},
}
_METRICS: dict[str, Any] = {
    "content": {"text/plain": {"schema": {"type": "string"}}},
    "description": "Prometheus' text.",
}


@router.get("/healthz", summary="Is everything up?", response_model=None, responses=_HEALTH_RESPONSES)
async def healthz(api: TheApi, request: Request) -> JSONResponse:
    """200 when Redis, the Kubernetes API and HEALTH_PEERS answer; else a problem that names what is missing.

    `warnings`: what will need an operator soon, such as Redis' memory. Addresses and errors are shown to authenticated
    callers; for all others they are in the log.
    """
    peers = [url.strip() for url in api.parts.settings.health_peers.split(",") if url.strip()]
    names = ["Redis", "the Kubernetes API", *peers]
    checks: list[Awaitable[str | None]] = [
        _trouble(api.parts.store.ping()),
        _trouble(api.parts.cluster.get("/version")),
        *(_peer_trouble(url) for url in peers),
    ]
    missing = {name: trouble for name, trouble in zip(names, await asyncio.gather(*checks), strict=True) if trouble}
    if not missing:
        warning = await _memory_warning(api)
        return JSONResponse({"status": "ok", **({"warnings": [warning]} if warning else {})})
    if not await _is_known(request):
        logger().warning("not ready", action="not-ready", missing=missing)
        missing = {name if name not in peers else "a peer": "does not answer" for name in missing}
    return response(
        503,
        Code.NOT_READY,
        "; ".join(f"{name}: {trouble}" for name, trouble in missing.items()),
        "Wait a moment; if it goes on, look at the logs of what is missing.",
        retry_after=1,
        missing=list(missing),
    )


@router.get("/livez", summary="Does this process answer?", response_class=PlainTextResponse)
async def livez() -> PlainTextResponse:
    return PlainTextResponse("ok\n")


@router.get("/metrics", summary="Counters for Prometheus", response_class=Response, responses={200: _METRICS})
async def metrics(api: TheApi) -> Response:
    """What Redis holds is left as it was while Redis does not answer."""
    with suppress(StepError, TimeoutError):
        async with asyncio.timeout(PEER_SECONDS):
            api.meters.show(await api.parts.store.figures())
    return Response(generate_latest(api.meters.registry), media_type=CONTENT_TYPE_LATEST)


async def _memory_warning(api: Api) -> str | None:
    with suppress(StepError, TimeoutError):
        async with asyncio.timeout(PEER_SECONDS):
            return (await api.parts.store.memory()).warning
    return None


async def _is_known(request: Request) -> bool:
    """A caller without a token costs nothing; one whose token can't be reviewed now counts as unknown."""
    try:
        async with asyncio.timeout(PEER_SECONDS):
            await authenticate(request)
    except (StepError, TimeoutError):
        return False
    return True


async def _trouble(check: Awaitable[object]) -> str | None:
    try:
        async with asyncio.timeout(PEER_SECONDS):
            await check
    except TimeoutError:
        return f"no answer within {PEER_SECONDS:.0f}s"
    except ModelswitchError as error:
        return str(error)[:200]
    return None


async def _peer_trouble(url: str) -> str | None:
    try:
        async with httpx.AsyncClient(timeout=PEER_SECONDS, trust_env=False) as client:
            answer = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
    return None if answer.status_code == 200 else f"it answered {answer.status_code}"
