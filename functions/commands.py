"""A command event, taken through its step."""

from starlette.requests import Request as HttpRequest

from events.commands import Command
from events.envelope import Received, read
from events.model import ModelRef
from functions.composition import Parts
from functions.lifecycle.request import Request
from functions.lifecycle.step import take_command


async def take(parts: Parts, http: HttpRequest, body: bytes, *accepts: type[Command]) -> str:
    """Returns `changed`, `unchanged` or `in line`. Who sent it nobody can tell behind a broker: the namespace must have opted in."""
    received = read(http.headers, body, accepts=[command.type for command in accepts])
    request = _request(received)
    in_line = False
    try:
        answer = await parts.interpreter.run(take_command(request, parts.limits))
        in_line = answer.ahead is not None
    finally:
        if not in_line:  # else the process that has the turn goes on with the line
            parts.line.go_on(request.ref)
    if in_line:
        return "in line"
    return "changed" if answer.changed else "unchanged"


def _request(received: Received) -> Request:
    command = received.data
    if not (isinstance(command, Command) and isinstance(received.ref, ModelRef)):
        raise TypeError(f"{received.type} is no command for a model")
    return Request(
        ref=received.ref,
        command=command,
        source=received.source,
        id=received.id,
        actor=command.actor or f"event:{received.source}",
        correlation_id=received.correlation_id,
        traceparent=received.traceparent,
        expires_at=received.expires_at,
        by_event=True,
        queue=True,
    )
