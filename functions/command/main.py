"""A model command: stop, start or reload.

One function takes all three, so that one ordered Trigger keeps their order.
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.commands import ReloadRequested, StartRequested, StopRequested
from functions.commands import take
from functions.composition import Parts
from functions.handler import handle
from functions.lifecycle.effects import Handled
from functions.lifecycle.errors import Code


async def _work(parts: Parts, request: Request, body: bytes) -> Handled | Code:
    return await take(parts, request, body, StopRequested, StartRequested, ReloadRequested)


@functions_framework.aio.http
async def command(request: Request) -> Response:
    return await handle("command", request, _work)
