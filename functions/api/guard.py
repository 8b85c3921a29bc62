"""Around every request: a log line, a count, headers for browsers, and no answer without a reason.

A web page of another site must not be able to act through a user's browser. Where no token is required
(AUTH=none), the Host must be this machine's (DNS rebinding). Where a browser keeps a token in a cookie, whatever changes
something must say that it comes from this very site: by Sec-Fetch-Site, or by Origin from a browser too old for that.
"""

import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.adapters.identity import Unauthenticated
from functions.api.meters import Meters
from functions.api.token import is_encrypted, shown_by
from functions.lifecycle.errors import Code
from functions.logs import logger
from functions.problem_document import response
from functions.same_origin import READING, refusal
from functions.settings import Settings

_METHODS = READING | {"POST", "PUT", "PATCH", "DELETE"}
_ONLY_BROWSERS = {"/sign-in", "/sign-out"}
_GONE = 499
"""As nginx notes it: the caller was gone before the whole request had come."""
_ONLY_HTTPS = "max-age=31536000"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """The outermost middleware but one: functions/answered.py."""

    def __init__(self, app: ASGIApp, meters: Meters, settings: Settings) -> None:
        self._app = app
        self._meters = meters
        self._local_only = settings.auth == "none"
        self._forwarded = settings.auth_forwarded_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0
        requested = Headers(scope=scope)
        encrypted = is_encrypted(scope["scheme"], requested)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if encrypted:
                    headers.setdefault("Strict-Transport-Security", _ONLY_HTTPS)
            await send(message)

        try:
            refused = self._refusal(scope["method"], scope["path"], requested, encrypted=encrypted)
            if refused:
                await response(403, Code.FORBIDDEN, *refused)(scope, receive, answer)
            else:
                await self._app(scope, receive, answer)
        except ClientDisconnect:
            status = status or _GONE
        except Exception:  # whatever it is: it is logged, and the caller gets a problem instead of a cut connection
            logger().exception("request failed", action="request-failed", path=scope["path"][:200])
            if status:
                raise
            detail = "something unexpected happened here; the log has the details"
            await response(500, Code.INTERNAL_ERROR, detail, "Ask again; report it if it goes on.")(
                scope, receive, answer
            )
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _refusal(self, method: str, path: str, headers: Headers, *, encrypted: bool) -> tuple[str, str] | None:
        try:
            by_browser = shown_by(headers, encrypted=encrypted, forwarded=self._forwarded).by_browser
        except Unauthenticated:
            by_browser = True
        return refusal(method, headers, local_only=self._local_only, by_browser=by_browser or path in _ONLY_BROWSERS)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "none"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._meters.requests.labels(method, route, status).inc()
        if not route.startswith(("/healthz", "/livez", "/metrics", "/static")):
            logger().info(
                "request",
                action="request",
                method=scope["method"],
                path=scope["path"][:200],
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )
