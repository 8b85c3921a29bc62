"""An answer that comes too late is dropped.

A request can turn out to be no HTTP while it is answered: behind a whole head, a chunk without a size. Then uvicorn answers 400
itself and ends the connection, and the application's own answer, which needs no body to refuse, fails to be sent. That is the
sender's fault, and no sender needs a secret for it: without this each such request would put tracebacks into the log.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_GONE_SECONDS = 1.0


class Answered:
    """The outermost ASGI middleware of every process that serves HTTP."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                await send(message)
            except Exception:
                if not await _gone(receive):
                    raise

        await self._app(scope, receive, send_in_time if scope["type"] == "http" else send)


async def _gone(receive: Receive) -> bool:
    """Whether the connection ends; uvicorn closes it, and hears of that a moment later."""
    try:
        async with asyncio.timeout(_GONE_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
