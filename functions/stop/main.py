"""A stop is wanted: dev.modelswitch.model.stop-requested.v1."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.commands import StopRequested
from functions.commands import take
from functions.composition import Parts
from functions.handler import handle
from functions.lifecycle.effects import Handled
from functions.lifecycle.errors import Code


async def _work(parts: Parts, request: Request, body: bytes) -> Handled | Code:
    return await take(parts, request, body, StopRequested)


@functions_framework.aio.http
async def stop(request: Request) -> Response:
    return await handle("stop", request, _work)
