"""GET /api/v1/events: every change of the models that the caller may read, resumable."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from functions.api.broadcast import News
from functions.api.context import Api, Caller, TheApi, authenticate
from functions.api.contract import problems
from functions.api.naming import make_ref
from functions.api.problems import malformed
from functions.api.streams import CountedStream
from functions.lifecycle.errors import StepError
from functions.logs import logger

router = APIRouter(prefix="/api/v1", tags=["look"])
HEARTBEAT_SECONDS = 15
RETRY_MILLISECONDS = 2000
MOST_MISSED = 5000
SEND_SECONDS = 10
_ENTRY = re.compile(r"(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})")

_EXAMPLE = (
    'id: 1767225600000-0\r\nevent: model\r\ndata: {"name": "iris", "namespace": "ml", "state": "stopping", …, '
    '"change": {"action": "stop", "actor": "operator", "changed": true, …}}\r\n\r\n'
)


@router.get(
    "/events",
    summary="Changes as they happen",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Server-sent events: `model` (a ModelStatus and `change`), `deleted` (namespace, name, kind "
            "and `change`), `reset` (history was lost: load the list again).",
            "content": {"text/event-stream": {"example": _EXAMPLE, "schema": {"type": "string"}}},
        },
        **problems(400, 401, 403, 502, 503),
    },
)
async def events(
    api: TheApi,
    user: Caller,
    request: Request,
    namespace: Annotated[str | None, Query(description="Only this namespace.")] = None,
    last_event_id: Annotated[str | None, Header(description="Go on behind this event.")] = None,
) -> EventSourceResponse:
    """Nothing old is sent, unless Last-Event-ID says where to go on. A comment every 15 s shows that it lives."""
    if namespace:
        make_ref(namespace, "any", None)
    position, known = await open_at(api, last_event_id)
    listener = Listener(api, request, namespace)
    stream = listener.run(position, known=known)
    return CountedStream(api.streams, user, stream, ping=HEARTBEAT_SECONDS, send_timeout=SEND_SECONDS, sep="\n")


async def open_at(api: Api, last_event_id: str | None) -> tuple[str, bool]:
    """Where a stream goes on, and whether the history still reaches back to there."""
    if last_event_id and not _ENTRY.fullmatch(last_event_id):
        raise malformed("Last-Event-ID is no id of this stream", "Leave it out, and load the list again.")
    position = last_event_id or await api.parts.store.last_change()
    return position, await api.parts.store.has_change(position)


class Listener:
    """One connection. Whether the caller may still read is asked again for every change (kept 10 s)."""

    def __init__(self, api: Api, request: Request, namespace: str | None) -> None:
        self.api = api
        self.request = request
        self._namespace = namespace

    async def told(self, news: News) -> ServerSentEvent:
        """A change as it is sent."""
        return ServerSentEvent(data=news.data, event=news.event, id=news.entry)

    def patience(self) -> float | None:
        """Seconds to wait for news before `aside` is asked; None: until there is some."""
        return None

    async def aside(self) -> ServerSentEvent | None:
        """What is sent beside the changes, when it is due."""
        return None

    async def run(self, position: str, *, known: bool) -> AsyncIterator[ServerSentEvent]:
        queue = self.api.broadcast.join()
        self.api.meters.listeners.inc()
        try:
            yield ServerSentEvent(comment="connected", id=position, retry=RETRY_MILLISECONDS)
            async for news in self._all(queue, position, known=known):
                if news and (news.ref is None or await self._may_read(news)):
                    yield await self.told(news)
                if aside := await self.aside():
                    yield aside
        except StepError as error:
            logger().info("event stream ended", action="stream-ended", code=str(error.code), reason=error.message)
        finally:
            self.api.meters.listeners.dec()
            self.api.broadcast.leave(queue)

    async def _all(self, queue: "asyncio.Queue[News]", position: str, *, known: bool) -> AsyncIterator[News | None]:
        """What was missed, then what comes; the queue was joined first, so what comes twice is dropped by its id.

        None where nothing came for as long as `patience` says.
        """
        if not known:
            position = await self.api.parts.store.last_change()
            yield News(position, None)
        async for news in self._missed(position):
            position = news.entry
            yield news
        while True:
            try:
                async with asyncio.timeout(self.patience()):
                    news = await queue.get()
            except TimeoutError:
                yield None
                continue
            if news.ref is None or _order(news.entry) > _order(position):
                position = news.entry
                yield news

    async def _missed(self, position: str) -> AsyncIterator[News]:
        store = self.api.parts.store
        for _ in range(MOST_MISSED // 500):
            changes = [change async for change in store.changes(position, 0.001)]
            if not changes:
                return
            for news in await self.api.broadcast.news(changes):
                yield news
            position = changes[-1].entry
        yield News(await store.last_change(), None)

    async def _may_read(self, news: News) -> bool:
        if news.ref is None or self._namespace not in {None, "", news.ref.namespace}:
            return False
        user = await authenticate(self.request)
        return await self.api.access.may(user, "list", news.ref.kind, news.ref.namespace)


def _order(entry: str) -> tuple[int, int]:
    """Stream ids compare by both of their numbers."""
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds), int(sequence)
