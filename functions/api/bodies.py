"""Bodies of requests: read with a limit, parsed strictly, and refused with the field's name."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from events.commands import ModelCommand, StartRequested, StopRequested, Verb
from events.errors import Malformed
from events.senders import is_reserved
from events.wire import MAX_BODY_BYTES, parse_json
from functions.adapters.identity import User
from functions.api.arrivals import Arrival
from functions.api.context import Api, Caller, TheApi
from functions.api.problems import ApiError, described, invalid, malformed
from functions.command_order import Place
from functions.lifecycle.errors import Code

_Model = TypeVar("_Model", bound=BaseModel)
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True)
class Origin:
    """Under which id a command runs, and which request it belongs to. `place`: among its caller's others."""

    id: str
    correlation_id: str
    traceparent: str | None
    place: Place | None = None


async def read_object(request: Request) -> dict[str, Any]:
    """The body's JSON object, {} where there is none. Problems: 413 TooLarge, 400 Malformed, 422 for other JSON."""
    length = request.headers.get("content-length", "0")
    if length.isdigit() and len(length) < 20 and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    if not body.strip():
        return {}
    try:
        content = parse_json(bytes(body))
    except Malformed as error:
        raise malformed(f"the body is {error.message}") from error
    if not isinstance(content, dict):
        raise invalid(
            "the body is JSON, but no object", 'Send an object such as {"reason": "night"}, or no body at all.'
        )
    return content


def read_origin(request: Request) -> Origin:
    """From Idempotency-Key, X-Correlation-ID or X-Request-ID, and traceparent. 422 for a key that can't be one."""
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise invalid("Idempotency-Key: expected 1 to 256 printable ASCII characters", "Send a UUID, for example.")
    identity = key or str(uuid.uuid4())
    correlation = request.headers.get("x-correlation-id") or request.headers.get("x-request-id") or ""
    traceparent = request.headers.get("traceparent", "")
    return Origin(
        id=identity,
        correlation_id=correlation if _KEY.fullmatch(correlation) else identity,
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else None,
        place=arrival.place if (arrival := arrival_of(request)) else None,
    )


def arrival_of(request: Request) -> Arrival | None:
    """None where it is no command."""
    return getattr(request.state, "arrival", None)


def parse(model: type[_Model], content: Mapping[str, Any]) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise invalid(described(error.errors())) from error


def parse_command(verb: Verb, content: Mapping[str, Any]) -> ModelCommand:
    """The command as the same event's data would have it; its `actor` is a claim beside the authenticated user."""
    command: ModelCommand = parse(StopRequested, content) if verb == "stop" else parse(StartRequested, content)
    if command.actor is not None and is_reserved(command.actor):
        raise invalid("actor: a name that modelswitch gives itself", "Leave it out: you are recorded as who you are.")
    return command


def take_queue(content: dict[str, Any]) -> bool:
    """`queue` belongs to the request, not to the command."""
    queue = content.pop("queue", False)
    if not isinstance(queue, bool):
        raise invalid("queue: expected true or false")
    return queue


def _too_large() -> ApiError:
    return ApiError(
        413, Code.TOO_LARGE, f"the body is larger than {MAX_BODY_BYTES} bytes", "Send only the fields of the command."
    )


@dataclass(frozen=True)
class Calling:
    """One POST: who sent what."""

    api: Api
    user: User
    body: dict[str, Any]
    origin: Origin
    arrival: Arrival | None


def _calling(
    api: TheApi,
    user: Caller,
    body: Annotated[dict[str, Any], Depends(read_object)],
    origin: Annotated[Origin, Depends(read_origin)],
    request: Request,
) -> Calling:
    return Calling(api, user, body, origin, arrival_of(request))


CallNow = Annotated[Calling, Depends(_calling)]
