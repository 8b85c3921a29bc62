"""How many event streams may be open: of one identity, and in all. Each holds a connection, a queue and a task."""

from collections import Counter
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from functions.adapters.identity import User
from functions.lifecycle.errors import TooMany

AGAIN_SECONDS = 30.0
Who = tuple[str, str]


class Streams:
    """Those that are open in this process. `per_user` None: only the sum counts."""

    def __init__(self, per_user: int | None, in_all: int) -> None:
        self._per_user = per_user
        self._in_all = in_all
        self._open: Counter[Who] = Counter()

    def enter(self, user: User) -> Who:
        """Raises TooMany."""
        who = (user.name, user.uid)
        if self._per_user is not None and self._open[who] >= self._per_user:
            raise TooMany(
                f"{user.name} has {self._per_user} event streams open already",
                "Close another page or program that follows the changes, then try again.",
                AGAIN_SECONDS,
            )
        if self._open.total() >= self._in_all:
            raise TooMany(
                f"{self._in_all} event streams are open already",
                "Try again later; EVENT_STREAMS and a second replica allow more.",
                AGAIN_SECONDS,
            )
        self._open[who] += 1
        return who

    def leave(self, who: Who) -> None:
        self._open[who] -= 1
        if self._open[who] <= 0:
            del self._open[who]


class CountedStream(EventSourceResponse):
    """Leaves when it has ended, however it ends.

    Nothing may be awaited between `enter` and its return to the framework.
    """

    def __init__(self, streams: Streams, user: User, content: Any, **options: Any) -> None:
        super().__init__(content, **options)
        self._streams = streams
        self._who = streams.enter(user)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave(self._who)
