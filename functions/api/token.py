"""Where a request's token comes from: the Authorization header, a proxy's header where that is configured, or the
cookie of a user who pasted one.

Over HTTPS the cookie's name begins with `__Host-`: browsers then let no sibling host under the same domain set it. Over
plain HTTP, as on the laptop, they would not keep such a cookie at all, so there it has the plain name.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers

from functions.adapters.identity import Unauthenticated

PLAIN_COOKIE = "modelswitch-token"
HOST_COOKIE = f"__Host-{PLAIN_COOKIE}"
FORWARDED = "x-forwarded-access-token"


def is_encrypted(scheme: str, headers: Headers) -> bool:
    """Also where a proxy ends TLS. Believing that header only ever makes things stricter."""
    return "https" in {scheme, headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()}


def cookie_name(*, encrypted: bool) -> str:
    return HOST_COOKIE if encrypted else PLAIN_COOKIE


@dataclass(frozen=True)
class Shown:
    """`by_browser`: what is shown comes from a browser or a proxy by itself, also where another site made it send the
    request.
    """

    authorization: str | None
    by_browser: bool


def shown_by(headers: Headers, *, encrypted: bool, forwarded: bool) -> Shown:
    """`forwarded`: the proxy's header counts; then it counts first, as that proxy may send an Authorization of its own.

    Raises Unauthenticated where there are two cookies: one of them may be another site's.
    """
    if forwarded and (token := headers.get(FORWARDED)):
        return Shown(f"Bearer {token}", by_browser=True)
    if authorization := headers.get("authorization"):
        return Shown(authorization, by_browser=False)
    tokens = set(cookies_of(headers, cookie_name(encrypted=encrypted)))
    if len(tokens) > 1:
        raise Unauthenticated("the browser sent two different tokens; sign out, or delete this site's cookies")
    token = next(iter(tokens), None)
    return Shown(f"Bearer {token}" if token else None, by_browser=token is not None)


def cookies_of(headers: Headers, name: str) -> list[str]:
    """Each value of that name, of all that were sent."""
    pairs = [part.partition("=") for line in headers.getlist("cookie") for part in line.split(";")]
    return [value.strip() for found, _, value in pairs if found.strip() == name]


def has_cookie(headers: Headers) -> bool:
    return any(cookies_of(headers, name) for name in (PLAIN_COOKIE, HOST_COOKIE))
