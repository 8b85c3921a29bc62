"""An artifact was written: dev.modelswitch.artifact.written.v1, or an object store's own notification.

One reload request for each model that loads it; nothing is restarted here.
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.artifact_written.concerned import ask_for_reloads
from functions.artifact_written.reading import read_writings
from functions.composition import Parts
from functions.handler import handle
from functions.lifecycle.effects import Handled


async def _work(parts: Parts, request: Request, body: bytes) -> Handled:
    writings = read_writings(request.headers, body, parts.signer, request.state.user)
    asked = [await ask_for_reloads(parts, writing) for writing in writings]
    return Handled.RELOADS_REQUESTED if sum(asked) else Handled.NO_MODEL


@functions_framework.aio.http
async def artifact_written(request: Request) -> Response:
    return await handle("artifact_written", request, _work, direct=True)
