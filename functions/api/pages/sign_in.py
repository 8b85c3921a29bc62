"""Signing in by a pasted token, where no proxy of the platform adds one: kept in a cookie that no script can read."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from functions.adapters.identity import LONGEST_TOKEN, Unauthenticated, User
from functions.api.context import TheApi, address_of
from functions.api.pages.frame import message, page, shown, sign_in_page
from functions.api.token import HOST_COOKIE, PLAIN_COOKIE, cookie_name, has_cookie, is_encrypted
from functions.lifecycle.errors import StepError

router = APIRouter(include_in_schema=False)
_LONGEST_FORM = 2 * LONGEST_TOKEN


@router.get("/sign-in")
async def form(api: TheApi, request: Request) -> HTMLResponse:
    if api.parts.settings.auth == "none":
        return message(request, 200, "No sign-in is needed", "This serves one machine only (AUTH=none).")

    async def make(user: User) -> HTMLResponse:
        return message(request, 200, f"Signed in as {user.name}", "The models are on the first page.")

    if has_cookie(request.headers) or "authorization" in request.headers:
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
        await api.access.authenticate(f"Bearer {token}", address_of(request))
    except Unauthenticated as error:
        return sign_in_page(request, error)
    except StepError as error:
        return message(request, error.status, "Not available", f"{error.message}. {error.next_action}", refresh=None)
    answer = RedirectResponse("/", 303)
    encrypted = is_encrypted(request.url.scheme, request.headers)
    name = cookie_name(encrypted=encrypted)
    answer.set_cookie(name, token, httponly=True, samesite="strict", secure=encrypted, path="/")
    return answer


@router.post("/sign-out")
async def sign_out() -> Response:
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(HOST_COOKIE, httponly=True, samesite="strict", secure=True, path="/")
    answer.delete_cookie(PLAIN_COOKIE, httponly=True, samesite="strict", path="/")
    return answer
