"""The HTTP side: one endpoint for everything under /api and /apis, discovery, and the tests' knobs under /_sim."""

import asyncio
import json
import logging

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from functions.local.kubernetes import discovery, identities, model_servers, protobuf, routing
from functions.local.kubernetes.errors import ApiError, bad_request
from functions.local.kubernetes.faults import Audit, Fault, Faults, refuse
from functions.local.kubernetes.identities import Identities
from functions.local.kubernetes.objects import Objects
from functions.local.kubernetes.store import dump
from functions.local.kubernetes.verbs import Answer, Call, perform
from functions.local.kubernetes.watches import Watches
from functions.same_origin import SameOrigin

log = logging.getLogger(__name__)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
LARGEST = 3 * 1024 * 1024
"""Bytes of a request's body, as the real API server's limit."""
HEALTH = ("/healthz", "/livez", "/readyz")


class Api:
    """One simulated API server: what it stores, whom it knows, what trouble it makes."""

    def __init__(self, objects: Objects, known: Identities) -> None:
        self.objects = objects
        self.identities = known
        self.watches = Watches(objects.store)
        self.model_servers = model_servers.ModelServers(objects)
        self.faults = Faults()
        self.audit = Audit()

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/_sim/faults", self._faults, methods=["POST", "DELETE"]),
                Route("/_sim/audit", self._audit, methods=["GET", "DELETE"]),
                Route("/{path:path}", self._serve, methods=METHODS),
            ],
            middleware=[Middleware(SameOrigin)],
        )

    async def _serve(self, request: Request) -> Response:
        before = self.objects.store.version
        try:
            return await self._answer(request)
        except ApiError as error:
            self._note(request, error.code, 0, before)
            headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            return JSONResponse(error.status(), error.code, headers)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path in HEALTH:
            return Response("ok")
        identity = self.identities.who(request.headers.get("authorization", ""))
        if called := model_servers.Call.of(path):
            if request.method == "POST":
                return self.model_servers.predict(called, await _body(request))
            return self.model_servers.answer(called)
        target = routing.target(path)
        if target is None:
            return await self._about(request, identity)
        verb = routing.verb(request.method, target, request.query_params)
        identities.check(identity, verb, target)
        fault = self.faults.take(verb, target.resource.key)
        refuse(fault, target.resource, target.name)
        call = Call(
            verb=verb,
            target=target,
            params=request.query_params,
            content_type=request.headers.get("content-type", ""),
            agent=request.headers.get("user-agent", ""),
            body=await _body(request),
            identity=identity,
            table=_wants_table(request),
        )
        if verb == "watch":
            return StreamingResponse(self.watches.stream(call.query()), media_type="application/json")
        return await self._perform(request, call, fault)

    async def _perform(self, request: Request, call: Call, fault: Fault | None) -> Response:
        before = self.objects.store.version
        answer = self._performed(call)
        self._note(request, answer.code, len(call.body), before)
        if fault:
            await asyncio.sleep(fault.seconds)
            raise ApiError(504, "Timeout", "Timeout: request did not complete within the allotted time", {})
        return Response(answer.body, answer.code, media_type="application/json")

    def _performed(self, call: Call) -> Answer:
        """A write of what can't be handled is refused, as a real API server's schemas would."""
        try:
            return perform(self.objects, call)
        except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError, RecursionError) as error:
            if not call.body:
                raise
            log.exception("%s %s refused", call.verb, call.target.resource.key)
            kind = call.target.resource.kind
            raise bad_request(f"{kind} cannot be handled as a {kind}: {type(error).__name__} {error}"[:500]) from error

    async def _about(self, request: Request, identity: identities.Identity) -> Response:
        steps = request.url.path.strip("/").split("/")
        if request.method == "POST" and len(steps) == 4 and steps[1].startswith("auth"):
            sent = await _body(request)
            sent_as = request.headers.get("content-type", "")
            body = protobuf.read(sent) if protobuf.MEDIA_TYPE in sent_as else json.loads(sent)
            self._note(request, 201, len(sent), self.objects.store.version)
            return JSONResponse(self.identities.review(steps[3], body, identity), 201)
        return Response(dump(discovery.answer(request.url.path)), media_type="application/json")

    def _note(self, request: Request, code: int, size: int, before: int) -> None:
        if request.method == "GET":
            return
        self.audit.entries.append(
            {
                "verb": request.method,
                "path": request.url.path,
                "userAgent": request.headers.get("user-agent", ""),
                "bytes": size,
                "code": code,
                "changed": self.objects.store.version != before,
            }
        )

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
            return Response(status_code=204)
        try:
            fault = Fault.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse(bad_request(str(error)).status(), 400)
        if fault.answer == "compact":
            self.objects.store.compact()
        elif fault.answer == "drop-watches":
            self.watches.drop()
        else:
            self.faults.add(fault)
        return Response(status_code=204)

    async def _audit(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.audit.entries.clear()
            return Response(status_code=204)
        return JSONResponse({"items": list(self.audit.entries)})


async def _body(request: Request) -> bytes:
    body = await request.body()
    if len(body) > LARGEST:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST}", {})
    return body


def _wants_table(request: Request) -> bool:
    return "as=Table" in request.headers.get("accept", "")
