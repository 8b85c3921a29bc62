"""GET /live: what pages follow. Changes as /api/v1/events has them, and with each the model's row as it is now, made here once
for all clients that watch.
"""

import json
import time
from collections import OrderedDict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from events.model import ModelRef
from events.status import State
from functions.api.broadcast import News
from functions.api.context import Api, Caller, TheApi, authenticate
from functions.api.pages import kserve_word
from functions.api.pages.frame import fragment
from functions.api.pages.rows import row_of
from functions.api.stream import HEARTBEAT_SECONDS, SEND_SECONDS, Listener, open_at
from functions.api.streams import CountedStream
from functions.api.visibility import may_patch_each, totals
from functions.lifecycle.errors import StoreRebuilding, StoreUnavailable

router = APIRouter(include_in_schema=False)
router.include_router(kserve_word.router)
TOTALS_AFTER_SECONDS = 0.05
TOTALS_EVERY_SECONDS = 0.8
_KEPT_ROWS = 512


class RowCache:
    """What is sent of a change, by change and right: made once, however many watch. One per process."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[str, bool], str] = OrderedDict()

    def told(self, news: News, ref: ModelRef, *, may_patch: bool) -> str:
        key = (news.entry, may_patch)
        if key not in self._rows:
            self._rows[key] = json.dumps(_content(news, ref, may_patch=may_patch))
            while len(self._rows) > _KEPT_ROWS:
                self._rows.popitem(last=False)
        return self._rows[key]


def _content(news: News, ref: ModelRef, *, may_patch: bool) -> dict[str, Any]:
    content = {"key": f"{ref.namespace}/{ref.kind.value}/{ref.name}", "change": news.change}
    if news.status is None:
        return content
    html = fragment("row_alone.html", row=row_of(news.status, may_patch=may_patch))
    return content | {"state": news.status.state.value, "reason": news.status.reason, "html": html}


_rows = RowCache()


@router.get("/live")
async def live(
    api: TheApi,
    user: Caller,
    request: Request,
    after: str | None = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventSourceResponse:
    """Events: `row` (key, state, change and the row's HTML), `deleted`, `totals`, `reset`.

    `after`: what the page already shows; a browser that connects again says it in the header.
    """
    position, known = await open_at(api, last_event_id or after)
    listener = _PageListener(api, request)
    stream = listener.run(position, known=known)
    return CountedStream(api.streams, user, stream, ping=HEARTBEAT_SECONDS, send_timeout=SEND_SECONDS, sep="\n")


class _PageListener(Listener):
    """Totals follow a change at once, and where many changes follow each other, once in less than a second."""

    def __init__(self, api: Api, request: Request) -> None:
        super().__init__(api, request, None)
        self._totals_at: float | None = None
        self._totals_sent = 0.0

    async def told(self, news: News) -> ServerSentEvent:
        if news.ref is None:
            return await super().told(news)
        if self._totals_at is None:
            soon, spaced = time.monotonic() + TOTALS_AFTER_SECONDS, self._totals_sent + TOTALS_EVERY_SECONDS
            self._totals_at = max(soon, spaced)
        right = False
        if news.status:
            user = await authenticate(self.request)
            [(_, right)] = await may_patch_each(self.api, user, [news.status])
        data = _rows.told(news, news.ref, may_patch=right)
        return ServerSentEvent(data=data, event="row" if news.status else "deleted", id=news.entry)

    def patience(self) -> float | None:
        return None if self._totals_at is None else max(0.0, self._totals_at - time.monotonic())

    async def aside(self) -> ServerSentEvent | None:
        if self._totals_at is None or time.monotonic() < self._totals_at:
            return None
        self._totals_at, self._totals_sent = None, time.monotonic()
        try:
            tally = await totals(self.api, await authenticate(self.request))
        except (StoreRebuilding, StoreUnavailable):
            return None
        states = {state.value: tally.state(state) for state in State}
        content = {"models": tally.models, "gpus": tally.gpus, "freed": tally.freed, **states}
        return ServerSentEvent(data=json.dumps(content), event="totals")
