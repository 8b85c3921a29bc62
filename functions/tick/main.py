"""Time has passed: do what is due. dev.knative.sources.ping, every 5 s."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.notifications import read_notification
from functions.composition import Parts
from functions.handler import handle
from functions.lifecycle.effects import Handled
from functions.tick.round import go_round


async def _work(parts: Parts, request: Request, body: bytes) -> Handled:
    read_notification(request.headers, body)
    await go_round(parts)
    return Handled.TICKED


@functions_framework.aio.http
async def tick(request: Request) -> Response:
    return await handle("tick", request, _work)
