"""Signing in by a pasted token, where no proxy of the platform adds one: kept in a cookie that no script can read."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from functions.adapters.identity import LONGEST_TOKEN, Unauthenticated, User
from functions.api.context import TOKEN_COOKIE, TheApi
from functions.api.pages.frame import message, page, shown, sign_in_page
from functions.lifecycle.errors import StepError

router = APIRouter(include_in_schema=False)
_LONGEST_FORM = 2 * LONGEST_TOKEN


@router.get("/sign-in")
async def form(api: TheApi, request: Request) -> HTMLResponse:
    if api.parts.settings.auth == "none":
        return message(request, 200, "Nobody signs in here", "This serves one machine only (AUTH=none).")

    async def make(user: User) -> HTMLResponse:
        return message(request, 200, f"Signed in as {user.name}", "The models are on the first page.")

    if TOKEN_COOKIE in request.cookies or "authorization" in request.headers:
        return await shown(request, make)
    return page(request, "sign_in.html", 200, None, trouble="")


@router.post("/sign-in")
async def sign_in(api: TheApi, request: Request) -> Response:
    """The token is reviewed by the cluster before it is kept; the cookie ends with the browser's session."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            return message(request, 413, "Too long", "What was pasted is longer than any token. Paste the token alone.")
    token = parse_qs(body.decode(errors="replace")).get("token", [""])[0].strip().removeprefix("Bearer ").strip()
    try:
        await api.access.authenticate(f"Bearer {token}")
    except Unauthenticated as error:
        return sign_in_page(request, error)
    except StepError as error:
        return message(request, error.status, "Not available", f"{error.message}. {error.next_action}", refresh=None)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(TOKEN_COOKIE, token, httponly=True, samesite="strict", secure=_encrypted(request), path="/")
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(TOKEN_COOKIE, httponly=True, samesite="strict", secure=_encrypted(request), path="/")
    return answer


def _encrypted(request: Request) -> bool:
    """Also where a proxy ends TLS. Believing that header only ever makes the cookie stricter."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto")}
