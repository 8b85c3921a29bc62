"""The broker's HTTP side. Answers as knative/eventing pkg/broker/ingress does, and says why in a line of text.

It asks for no token, so what a page of another site sends in a user's browser is refused.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from functions.local.broker.dispatcher import Dispatcher
from functions.local.broker.manifests import Broker
from functions.local.broker.message import Malformed, parse
from functions.local.broker.meters import PRODUCED
from functions.same_origin import SameOrigin

MAX_BODY_BYTES = 1024 * 1024
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class TooLarge(Exception):
    """More than an event may be."""


class Ingress:
    """POST to /NAMESPACE/BROKER, or to / for the first Broker of the manifests."""

    def __init__(self, brokers: Sequence[Broker], dispatcher: Dispatcher) -> None:
        self._paths = {broker.path: broker.path for broker in brokers} | {"": brokers[0].path}
        self._dispatcher = dispatcher

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/healthz", lambda _: PlainTextResponse("ok"), methods=["GET"]),
                Route("/metrics", _metrics, methods=["GET"]),
                Route("/{path:path}", self._produce, methods=METHODS),
            ],
            lifespan=self._delivering,
            middleware=[Middleware(SameOrigin)],
        )

    @contextlib.asynccontextmanager
    async def _delivering(self, _: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self._dispatcher.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _produce(self, request: Request) -> Response:
        response = await self._answer(request)
        PRODUCED.labels(response.status_code).inc()
        if response.status_code >= 400:
            reason = bytes(response.body).decode()
            log.warning("refused", action="produce", status=response.status_code, path=request.url.path, reason=reason)
        return response

    async def _answer(self, request: Request) -> Response:
        allow = {"Allow": "POST, OPTIONS"}
        if request.method == "OPTIONS":
            return Response(headers={**allow, "WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"})
        if request.method != "POST":
            return PlainTextResponse(f"{request.method} is not for events; POST a CloudEvent", 405, allow)
        broker = self._paths.get(request.url.path.rstrip("/"))
        if broker is None:
            there = ", ".join(path for path in self._paths if path)
            return PlainTextResponse(f"no broker at {request.url.path}; there is {there}", 404)
        try:
            event = parse(dict(request.headers), await _body(request))
        except TooLarge:
            return PlainTextResponse(f"more than {MAX_BODY_BYTES} bytes; send a smaller event", 413)
        except Malformed as error:
            return PlainTextResponse(f"not a CloudEvent: {error}", 400)
        self._dispatcher.accept(broker, event)
        return Response(status_code=202)


async def _body(request: Request) -> bytes:
    """At most MAX_BODY_BYTES, whatever the sender says of its length."""
    if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge
    return bytes(body)


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
