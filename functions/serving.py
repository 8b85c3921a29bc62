"""How gunicorn serves a function; functions-framework has no option for it, so the defaults are set
before it starts.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from gunicorn.config import ControlSocketDisable, PostWorkerInit
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.answered import Answered


def without_control_socket() -> None:
    """The socket would need a writable home, which a pod does not have, and all functions of one user would share it."""
    ControlSocketDisable.default = True


def serve_within(guard: Callable[[ASGIApp], ASGIApp], close: Callable[[], Awaitable[None]]) -> None:
    """Has each worker serve its function within `guard`, which so sees every route, those of the framework too, and await
    `close` when it ends, after its last request: a function has no hook of its own for that.

    Not later: uvicorn raises the signal that ended it again, and that ends the process at once.
    """

    def wrap(worker: Any) -> None:
        worker.wsgi = Closing(Answered(guard(worker.wsgi)), close)

    PostWorkerInit.default = staticmethod(wrap)


class Closing:
    """ASGI middleware: `close` is awaited when the server shuts down."""

    def __init__(self, app: ASGIApp, close: Callable[[], Awaitable[None]]) -> None:
        self._app = app
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def last() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._close()
            return message

        await self._app(scope, last if scope["type"] == "lifespan" else receive, send)
