"""Errors as RFC 9457 problems: what happened, what was expected, what to do next, under a stable code."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from events.model import ModelRef
from functions.adapters.cluster import Changed, Missing
from functions.lifecycle.errors import Code, Conflict, StepError
from functions.problem_document import response


class Problem(BaseModel):
    """RFC 9457, with a stable `code` and what to do next."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="`urn:modelswitch:problem:` and the code.", examples=["urn:modelswitch:problem:NotFound"]
    )
    title: str
    status: int
    detail: str = Field(description="What happened and what was expected.")
    code: str = Field(description="One CamelCase word, stable; also what `model.failed` and the audit carry.")
    next_action: str = Field(description="What to do about it.")
    instance: str | None = Field(default=None, description="The request's id, as in the log.")


class ApiError(StepError):
    """A request is wrong in a way that only HTTP knows. `extra` are further members of the problem."""

    def __init__(self, status: int, code: Code, message: str, next_action: str, **extra: Any) -> None:
        super().__init__(code, message, next_action)
        self.status = status
        self.extra = extra


def malformed(detail: str, next_action: str = "Send one JSON object; /docs has examples.") -> ApiError:
    return ApiError(400, Code.MALFORMED, detail, next_action)


def invalid(detail: str, next_action: str = "Correct it; /docs has the fields and examples.") -> ApiError:
    return ApiError(422, Code.INVALID_REQUEST, detail, next_action)


def ambiguous(name: str, found: list[ModelRef]) -> ApiError:
    names = ", ".join(ref.namespace for ref in found)
    return ApiError(
        409,
        Code.AMBIGUOUS_MODEL,
        f"{name} is in several namespaces: {names}",
        "Name one: /api/v1/namespaces/NAMESPACE/models/NAME, or ?namespace=.",
        candidates=[{"namespace": ref.namespace, "name": ref.name, "kind": ref.kind.value} for ref in found],
    )


def of_step(error: StepError) -> JSONResponse:
    """The problem of an error; an ApiError's has further members."""
    extra = error.extra if isinstance(error, ApiError) else {}
    return response(error.status, error.code, error.message, error.next_action, retry_after=error.retry_after, **extra)


def of_cluster(error: Changed | Missing) -> StepError:
    """What the API server's answer means to a caller who has not named the object that is missing or changed."""
    if isinstance(error, Changed):
        return Conflict(Code.CONFLICT, f"the object changed at the same time: {error}", "Ask again.", retry_after=1)
    return ApiError(
        502, Code.CLUSTER_REFUSED, f"the cluster lacks something: {error}", "Check that KServe is installed."
    )


def of_http(error: HTTPException, path: str) -> JSONResponse:
    """What the router says: no such path, not this method."""
    code = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED}.get(error.status_code, Code.MALFORMED)
    detail = {
        404: f"there is nothing at {path[:200]}",
        405: "this path does not take that method",
    }.get(error.status_code, str(error.detail))
    return response(error.status_code, code, detail, "See /docs for every path and method.", headers=error.headers)


def of_validation(error: RequestValidationError) -> JSONResponse:
    return of_step(invalid(described(error.errors())))


def described(errors: Any) -> str:
    """Pydantic's findings in one line, each with the field's name."""
    return "; ".join(f"{_place(item['loc'])}: {item['msg']}" for item in list(errors)[:10])


def _place(location: tuple[Any, ...]) -> str:
    names = [str(step) for step in location if step not in {"path", "query", "body"}]
    return ".".join(names)[:200] or "the body"


def install(app: FastAPI) -> None:
    """Every error that a route can raise becomes a problem; what is left is the outermost middleware's."""

    def handle(kind: type[Exception], answer: Callable[[Request, Any], JSONResponse]) -> None:
        async def handler(request: Request, error: Exception) -> JSONResponse:
            return answer(request, error)

        asynchronous: Callable[[Request, Exception], Awaitable[JSONResponse]] = handler
        app.add_exception_handler(kind, asynchronous)

    handle(StepError, lambda _, error: of_step(error))
    handle(HTTPException, lambda request, error: of_http(error, request.url.path))
    handle(RequestValidationError, lambda _, error: of_validation(error))
    handle(Changed, lambda _, error: of_step(of_cluster(error)))
    handle(Missing, lambda _, error: of_step(of_cluster(error)))
