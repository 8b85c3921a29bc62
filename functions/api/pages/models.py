"""GET /: the models, as the URL's view asks for them."""

from collections import Counter
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from events.model import Kind
from functions.adapters.identity import User
from functions.api.context import Api, TheApi
from functions.api.overview import Line
from functions.api.pages.first_visit import what_to_try
from functions.api.pages.frame import page, shown, troubles
from functions.api.pages.rows import row_of
from functions.api.pages.view import PAGE_ROWS, SORTS, View
from functions.api.visibility import look_around, may_patch_each

router = APIRouter(include_in_schema=False)


@router.get("/")
async def models(api: TheApi, request: Request) -> HTMLResponse:
    """First paint with data; JavaScript keeps it current."""
    view = View.of(request.query_params)

    async def make(user: User) -> HTMLResponse:
        return page(request, "models.html", 200, user, **await _content(api, user, view))

    return await shown(request, make)


async def _content(api: Api, user: User, view: View) -> dict[str, Any]:
    scene = await look_around(api, user)
    fitting = view.ordered([line for line in scene.lines if view.fits(line)])
    pages = max(1, -(-len(fitting) // PAGE_ROWS))
    number = min(view.page, pages)
    chosen = fitting[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    return {
        "view": view,
        "rows": await rows_of(api, user, chosen),
        "fitting": len(fitting),
        "number": number,
        "pages": pages,
        "first": (number - 1) * PAGE_ROWS + 1 if chosen else 0,
        "tally": scene.tally,
        "sign": troubles(scene.tally),
        "chips": Counter(line.state.value for line in scene.lines if view.fits_all_but_state(line)),
        "namespaces": sorted({line.ref.namespace for line in scene.lines}),
        "kinds": [kind.value for kind in Kind],
        "sorts": SORTS,
        "others": await api.parts.installations.others(),
        "tries": what_to_try(scene.lines, api.parts.settings) if api.parts.settings.auth == "none" else None,
    }


async def rows_of(api: Api, user: User, lines: list[Line]) -> list[Any]:
    """From the records, which know more than the lines and may be newer; a model that was deleted in between is left out."""
    records = await api.parts.store.records([line.ref for line in lines]) if lines else []
    statuses = [record.status() for record in records if record and record.state]
    return [row_of(status, may_patch=right) for status, right in await may_patch_each(api, user, statuses)]
