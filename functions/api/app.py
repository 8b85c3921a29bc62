"""The application: routes, error handling and what runs beside them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from functions.adapters.identity import Access, ClusterAccess, EveryoneHere
from functions.adapters.kserve.note_policy import NotePolicy
from functions.answered import Answered
from functions.api import bulk, commands, health, holdings, problems, reading, stream
from functions.api.arrivals import InOrder
from functions.api.background import Background
from functions.api.broadcast import Broadcast
from functions.api.context import Api, Outbox
from functions.api.contract import PROBLEM_SCHEMA
from functions.api.guard import Guard
from functions.api.meters import Meters
from functions.api.naming import refuse_repeated
from functions.api.overview import Overview
from functions.api.pages import again, audit, capacity, live, model, models, plan, reference, sign_in
from functions.api.pages.frame import STATIC
from functions.api.pages.kserve_word import Words
from functions.api.streams import Streams
from functions.composition import Parts
from functions.problem_document import MEDIA_TYPE
from functions.settings import Settings

DESCRIPTION = (
    "Stop, start and watch the models that KServe serves. Errors are RFC 9457 problems with a stable code and a "
    "next_action. Where AUTH=token, send the header Authorization: Bearer TOKEN: the cluster's RBAC decides (patch on the "
    "resource for stop and start, get for one model, list for many)."
)
_PAGES = (models, model, plan, capacity, audit, again, live, sign_in, reference)


def create_app(settings: Settings, beside: Mapping[str, Callable[[], Awaitable[None]]] | None = None) -> FastAPI:
    """Connects when it is started, not here. `beside`: what else is to run for as long as it does, by name."""
    meters = Meters()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts = await Parts.connect(settings)
        try:
            overview = Overview(parts.store)
            api = Api(
                parts, _access(parts), Outbox(parts.sink), Broadcast(parts.store), meters, overview, _streams(settings)
            )
            app.state.api = api
            app.state.words = Words(api)
            app.state.note_policy = _note_policy(parts)
            always = {"outbox": api.outbox.run, "broadcast": api.broadcast.run, "overview": overview.keep_warm}
            async with Background({**always, **(beside or {})}):
                yield
        finally:
            await parts.close()

    app = FastAPI(
        title="modelswitch",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Answered),
            Middleware(Guard, meters=meters, settings=settings),
            Middleware(InOrder, settings=settings),
        ],
    )
    problems.install(app)
    for part in (commands, bulk, reading, holdings, stream):
        app.include_router(part.router, dependencies=[Depends(refuse_repeated)])
    for part in (health, *_PAGES):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return app


def _streams(settings: Settings) -> Streams:
    return Streams(None if settings.auth == "none" else settings.event_streams_per_user, settings.event_streams)


def _access(parts: Parts) -> Access:
    if parts.settings.auth == "none":
        return EveryoneHere()
    return ClusterAccess(parts.cluster, parts.settings.audiences)


def _note_policy(parts: Parts) -> NotePolicy | None:
    """None on the laptop, where everyone is the same local user and no deployment has made the policy."""
    return None if parts.settings.auth == "none" else NotePolicy(parts.cluster, parts.settings.installation)


_FASTAPIS_OWN = {"$ref": "#/components/schemas/HTTPValidationError"}


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with our Problem in place of its own validation error."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM_SCHEMA
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for methods in document["paths"].values():
        for operation in methods.values():
            answers = operation["responses"]
            content = answers.get("422", {}).get("content", {}).get("application/json", {})
            if content.get("schema") == _FASTAPIS_OWN:
                answers["422"] = {
                    "description": "InvalidRequest",
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
    app.openapi_schema = document
    return document
