"""Refuses what a web page of another site asks for in a user's browser.

A browser sends requests to this machine's loopback for any page that it shows, and after DNS rebinding even calls it
that page's own site. What gives it away are the headers Host, Origin and Sec-Fetch-Site, which no page can set. Every
port that is served without a token checks them here.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.lifecycle.errors import Code
from functions.problem_document import response

READING = frozenset({"GET", "HEAD", "OPTIONS"})


def is_loopback(host: str) -> bool:
    """A name or address of this machine: 127.0.0.0/8, ::1, localhost."""
    return host in {"localhost", "::1"} or host.endswith(".localhost") or _is_127(host)


def _is_127(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() and int(part) < 256 for part in parts)


def refusal(
    method: str, headers: Mapping[str, str], *, local_only: bool = True, by_browser: bool = False
) -> tuple[str, str] | None:
    """Why a request is refused, and what to do; None where it is not. Names in `headers` are in lower case.

    `local_only`: no token is asked for, so Host must be this machine's and Origin, where there is one, the same.
    `by_browser`: the request counts by what a browser adds or shows (a cookie, a form to sign in), so it must prove
    that it comes from a page of this very site.
    """
    host = headers.get("host", "")
    if local_only and host and not is_loopback(_name(host)):
        return (
            f"without authentication only this machine is served, and the Host was {host[:200]!r}",
            "Use http://127.0.0.1 or http://localhost, or set AUTH=token.",
        )
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    own = origin is not None and urlsplit(_plain(origin)).netloc == host
    foreign = origin is not None and not own and site != "same-origin"
    if method in READING:
        cross_site = foreign and local_only
    else:
        unproven = by_browser and site != "same-origin" and not own
        cross_site = site not in {"same-origin", "none", None} or foreign or unproven
    if cross_site:
        return ("a page of another site asked for this", "Use this dashboard, the command line, or curl.")
    return None


class SameOrigin:
    """Middleware for a port of this machine that asks for no token: requests of other sites get
    403, and go no further.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif why := refusal(scope.get("method", "GET"), Headers(scope=scope)):
            await _refuse(scope, receive, send, *why)
        else:
            await self._app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, why: str, next_action: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why})
        return
    headers = {"X-Content-Type-Options": "nosniff"}
    await response(403, Code.FORBIDDEN, why, next_action, headers=headers)(scope, receive, send)


def _name(host: str) -> str:
    """Without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _plain(origin: str) -> str:
    """Empty where the brackets don't match: urlsplit would raise."""
    return origin if "[" not in origin or "]" in origin else ""
