"""What people look at: the dashboard and the reference. Rendered here, no inline script, nothing from elsewhere."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from events.status import Hold, HoldKind, ModelStatus, State
from functions.adapters.identity import Unauthenticated
from functions.api.context import TheApi, authenticate
from functions.api.listing import Wanted, list_models
from functions.api.reference import operations
from functions.lifecycle.errors import Code, StepError

STATIC = Path(__file__).parent / "static"
SHOWN = 500
_STEPS = (("day", 86_400), ("hour", 3600), ("minute", 60))
_templates = Environment(
    loader=PackageLoader("functions.api"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
router = APIRouter(include_in_schema=False)


def age(moment: datetime | None) -> str:
    """In the one unit that people would use: `3 minutes`."""
    if moment is None:
        return "unknown"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for name, length in _STEPS:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "just now"


def why(status: ModelStatus) -> str:
    """Who holds a stopped model and what for; else what is wrong with it."""
    if status.holds and status.state is State.STOPPED:
        return "; ".join(_held(hold) for hold in status.holds)
    return status.message or ""


def _held(hold: Hold) -> str:
    who = hold.actor.removeprefix("external:")
    place = " outside modelswitch" if hold.kind is HoldKind.EXTERNAL else ""
    return f"Stopped{place} by {who}{f': {hold.reason}' if hold.reason else ''}"


_templates.filters.update({"age": age, "why": why})


@router.get("/")
async def dashboard(api: TheApi, request: Request) -> HTMLResponse:
    """First paint with data; JavaScript keeps it current. Every error is a page in plain words."""
    try:
        user = await authenticate(request)
        found = await list_models(api, user, Wanted(), SHOWN, None)
    except Unauthenticated as error:
        return _message(401, "Please sign in", f"{error.message}. {_SIGN_IN}")
    except StepError as error:
        if error.code is Code.STORE_UNAVAILABLE and error.retry_after == 2:
            return _message(503, "Looking at every model", _REBUILDING, refresh=2)
        return _message(error.status, "Not available", f"{error.message}. {error.next_action}", refresh=5)
    return _page(
        "dashboard.html",
        200,
        models=found.items,
        total=found.total,
        counts=Counter(status.state.value for status in found.items),
        gpus=sum(status.resource_allocation.gpus for status in found.items),
        states=[state.value for state in State],
        user=user.name,
    )


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    specification: dict[str, Any] = request.app.openapi()
    return _page("docs.html", 200, info=specification["info"], groups=operations(specification))


_SIGN_IN = (
    "This page takes its identity from the Authorization header, which your platform's proxy adds: open it through "
    "that proxy. The command line takes a token: modelswitch list --token-file FILE."
)
_REBUILDING = "The list is being rebuilt from the cluster; nothing is lost. This page comes back by itself in a moment."


def _message(status: int, title: str, text: str, refresh: int | None = None) -> HTMLResponse:
    headers = {"WWW-Authenticate": 'Bearer realm="modelswitch"'} if status == 401 else {}
    if refresh:
        headers |= {"Refresh": str(refresh), "Retry-After": str(refresh)}
    page = _page("message.html", status, title=title, text=text)
    page.headers.update(headers)
    return page


def _page(template: str, status: int, **values: Any) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(**values), status)
