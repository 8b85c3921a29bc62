"""GET /live: what pages follow. Changes as /api/v1/events has them, and with each the model's row as it is now, made here once
for everybody who watches.
"""

import json
import time
from collections import OrderedDict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from events.status import State
from functions.api.broadcast import News
from functions.api.context import Api, Caller, TheApi, authenticate
from functions.api.pages import kserve_word
from functions.api.pages.frame import fragment
from functions.api.pages.models import may_patch_each
from functions.api.pages.rows import row_of
from functions.api.sight import totals
from functions.api.stream import HEARTBEAT_SECONDS, SEND_SECONDS, Listener, open_at
from functions.lifecycle.errors import StoreUnavailable

router = APIRouter(include_in_schema=False)
router.include_router(kserve_word.router)
TOTALS_EVERY_SECONDS = 1.0
_KEPT_ROWS = 512


class RowCache:
    """Rendered rows by change and right. One per process."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[str, bool], str] = OrderedDict()

    def row(self, news: News, *, may_patch: bool) -> str:
        if news.status is None:
            return ""
        key = (news.entry, may_patch)
        if key not in self._rows:
            self._rows[key] = fragment("row_alone.html", row=row_of(news.status, may_patch=may_patch))
            while len(self._rows) > _KEPT_ROWS:
                self._rows.popitem(last=False)
        return self._rows[key]


_rows = RowCache()


@router.get("/live")
async def live(
    api: TheApi,
    _user: Caller,
    request: Request,
    after: str | None = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventSourceResponse:
    """Events: `row` (key, state, change and the row's HTML), `deleted`, `totals`, `reset`.

    `after`: what the page already shows; a browser that connects again says it in the header.
    """
    position, known = await open_at(api, last_event_id or after)
    listener = _PageListener(api, request)
    return EventSourceResponse(
        listener.run(position, known=known), ping=HEARTBEAT_SECONDS, send_timeout=SEND_SECONDS, sep="\n"
    )


class _PageListener(Listener):
    """Totals follow a change within a second, and come once where many changes follow each other."""

    def __init__(self, api: Api, request: Request) -> None:
        super().__init__(api, request, None)
        self._totals_at: float | None = None

    async def told(self, news: News) -> ServerSentEvent:
        if news.ref is None:
            return await super().told(news)
        if self._totals_at is None:
            self._totals_at = time.monotonic() + TOTALS_EVERY_SECONDS
        key = f"{news.ref.namespace}/{news.ref.kind.value}/{news.ref.name}"
        content: dict[str, Any] = {"key": key, "change": news.change}
        if news.status:
            user = await authenticate(self.request)
            [(_, right)] = await may_patch_each(self.api, user, [news.status])
            html = _rows.row(news, may_patch=right)
            content |= {"state": news.status.state.value, "reason": news.status.reason, "html": html}
        return ServerSentEvent(data=json.dumps(content), event="row" if news.status else "deleted", id=news.entry)

    def patience(self) -> float | None:
        return None if self._totals_at is None else max(0.0, self._totals_at - time.monotonic())

    async def aside(self) -> ServerSentEvent | None:
        if self._totals_at is None or time.monotonic() < self._totals_at:
            return None
        self._totals_at = None
        try:
            tally = await totals(self.api, await authenticate(self.request))
        except StoreUnavailable:
            return None
        states = {state.value: tally.state(state) for state in State}
        content = {"models": tally.models, "gpus": tally.gpus, "freed": tally.freed, **states}
        return ServerSentEvent(data=json.dumps(content), event="totals")
