"""The one builder of RFC 9457 problem documents: what happened, what was expected, and what to do next."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


def response(
    status: int,
    code: str,
    detail: str,
    next_action: str,
    *,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> JSONResponse:
    """The problem as a response. `retry_after` in seconds, rounded up; `extra` are further members of the document."""
    whole = None if retry_after is None else max(1, math.ceil(retry_after))
    content = {
        "type": f"urn:modelswitch:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": str(code),
        "next_action": next_action,
        **({} if whole is None else {"retry_after": whole}),
        **extra,
    }
    all_headers = {**({} if whole is None else {"Retry-After": str(whole)}), **(headers or {})}
    if status == HTTPStatus.UNAUTHORIZED:
        all_headers["WWW-Authenticate"] = 'Bearer realm="modelswitch"'
    return JSONResponse(content, status, all_headers, MEDIA_TYPE)
