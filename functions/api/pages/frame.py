"""What every page shares: the templates, who is looking, and errors as a page in plain words."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from events.status import State
from functions.adapters.cluster import Changed, Missing
from functions.adapters.identity import Unauthenticated, User
from functions.api.context import authenticate, of_request
from functions.api.overview import Tally
from functions.api.pages import wording
from functions.api.problems import ApiError, of_cluster
from functions.api.token import has_cookie
from functions.lifecycle.errors import StepError, StoreRebuilding

STATIC = Path(__file__).parents[1] / "static"
_REBUILDING = "The list is being rebuilt from the cluster; nothing is lost. This page comes back by itself in a moment."
_templates = Environment(
    loader=PackageLoader("functions.api"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    {
        name: getattr(wording, name)
        for name in ("age", "utc", "iso", "duration", "memory", "units", "sentence", "plural", "gpus")
    }
)
_templates.globals["STATES"] = [state.value for state in State]


async def shown(request: Request, make: Callable[[User], Awaitable[HTMLResponse]]) -> HTMLResponse:
    """The page that `make` makes for whoever is looking; where it can't be had, one that says why and what to do."""
    try:
        user = await authenticate(request)
        request.state.position = await of_request(request).parts.store.last_change()
        return await make(user)
    except Unauthenticated as error:
        return sign_in_page(request, error)
    except ApiError as error:
        return message(request, error.status, "Not available", f"{wording.sentence(error.message)} {error.next_action}")
    except StoreRebuilding as error:
        return message(request, error.status, "Looking at every model", _REBUILDING, refresh=2)
    except (Changed, Missing) as error:
        return _failed(request, of_cluster(error))
    except StepError as error:
        return _failed(request, error)


def _failed(request: Request, error: StepError) -> HTMLResponse:
    refresh = 5 if error.status >= 500 else None
    title = {403: "Not allowed", 404: "Not found"}.get(error.status, "Not available")
    return message(request, error.status, title, f"{wording.sentence(error.message)} {error.next_action}", refresh)


def sign_in_page(request: Request, error: Unauthenticated) -> HTMLResponse:
    """Says what was wrong only where a token was given."""
    tried = "authorization" in request.headers or has_cookie(request.headers) or request.method == "POST"
    answer = page(request, "sign_in.html", 401, None, trouble=wording.sentence(error.message) if tried else "")
    answer.headers["WWW-Authenticate"] = 'Bearer realm="modelswitch"'
    return answer


def message(request: Request, status: int, title: str, text: str, refresh: int | None = None) -> HTMLResponse:
    answer = page(request, "message.html", status, None, title=title, text=text)
    if refresh:
        answer.headers.update({"Refresh": str(refresh), "Retry-After": str(refresh)})
    return answer


def page(request: Request, template: str, status: int, user: User | None, **values: Any) -> HTMLResponse:
    """`user` None: nobody is signed in, or that does not matter here. `sign`: the trouble that the tab's title tells of."""
    settings = of_request(request).parts.settings
    frame = {
        "user": user.name if user else "",
        "laptop": settings.auth == "none",
        "audience": next(iter(settings.audiences), ""),
        "may_sign_out": has_cookie(request.headers),
        "path": request.url.path,
        "position": getattr(request.state, "position", ""),
        "sign": "",
    }
    return HTMLResponse(_templates.get_template(template).render(**(frame | values)), status)


def troubles(tally: Tally) -> str:
    """The sign of a page that shows many models: how many of them are in error."""
    return str(tally.state(State.ERROR) or "")


def fragment(template: str, **values: Any) -> str:
    """A part of a page."""
    return _templates.get_template(template).render(**values)
