"""What the routes work with, and who is asking."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from functions.adapters.identity import Access, User
from functions.adapters.sink import Sink
from functions.api.broadcast import Broadcast
from functions.api.meters import Meters
from functions.api.overview import Overview
from functions.api.streams import Streams
from functions.api.token import is_encrypted, shown_by
from functions.composition import Parts
from functions.lifecycle.errors import StepError
from functions.logs import logger


class Outbox:
    """Events leave after the answer, one flush at a time, never in the caller's time. The tick sends what is left."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._waiting = asyncio.Event()

    def nudge(self) -> None:
        self._waiting.set()

    async def run(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            try:
                sent = await self._sink.flush()
            except StepError:
                continue
            except Exception:  # noqa: BLE001 - whatever it is, later events must still leave
                logger().exception("events could not be published", action="publish-failed")
                continue
            if sent:
                logger().info("events published", action="events-published", events=sent)


@dataclass(frozen=True)
class Api:
    parts: Parts
    access: Access
    outbox: Outbox
    broadcast: Broadcast
    meters: Meters
    overview: Overview
    streams: Streams


def of_request(request: Request) -> Api:
    return cast("Api", request.app.state.api)


async def authenticate(request: Request) -> User:
    """Runs before anything else is read: a caller without a token does not learn what a valid request is.

    The header that a proxy or a program sends counts first; the cookie is for a user who pasted a token instead.
    """
    api = of_request(request)
    if api.parts.settings.auth == "none":
        return await api.access.authenticate(None)
    encrypted = is_encrypted(request.url.scheme, request.headers)
    forwarded = api.parts.settings.auth_forwarded_token
    shown = shown_by(request.headers, encrypted=encrypted, forwarded=forwarded)
    return await api.access.authenticate(shown.authorization, address_of(request))


def address_of(request: Request) -> str:
    """The client's address; behind a proxy that FORWARDED_ALLOW_IPS names, the address that it forwards."""
    return request.client.host if request.client else ""


_bearer = HTTPBearer(auto_error=False, description="A Kubernetes token; not needed where AUTH=none.")


async def _caller(request: Request, _documented: Annotated[object, Depends(_bearer)]) -> User:
    return await authenticate(request)


TheApi = Annotated[Api, Depends(of_request)]
Caller = Annotated[User, Depends(_caller)]
