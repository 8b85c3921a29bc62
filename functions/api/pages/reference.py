"""GET /docs: the REST API by example, from its own OpenAPI document."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from functions.api.pages.frame import page
from functions.api.reference import operations

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    specification: dict[str, Any] = request.app.openapi()
    return page(request, "docs.html", 200, None, info=specification["info"], groups=operations(specification))
