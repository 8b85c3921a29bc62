"""A command event, taken through its step."""

from starlette.requests import Request as HttpRequest

from events.commands import Command, ModelCommand
from events.envelope import Received, understand
from events.model import ModelRef
from events.wire import open_event
from functions.composition import Parts
from functions.lifecycle.request import Request
from functions.lifecycle.step import take_command
from functions.senders import Sender, sender_of


async def take(parts: Parts, http: HttpRequest, body: bytes, *accepts: type[Command]) -> str:
    """Returns `changed`, `unchanged` or `in line`. Who sent it nobody can tell behind a broker: the namespace must have opted in."""
    event = open_event(http.headers, body)
    received = understand(event, accepts=[wanted.type for wanted in accepts])
    command, ref = received.data, received.ref
    if not (isinstance(command, ModelCommand) and isinstance(ref, ModelRef)):
        raise TypeError(f"{received.type} is no command for a model")
    sender = sender_of(event, command.actor, parts.signer)
    request = _request(received, command, ref, sender)
    try:
        answer = await parts.interpreter.run(take_command(request, parts.limits))
    finally:
        parts.line.go_on(request.ref)
    if answer.ahead is not None:
        return "in line"
    return "changed" if answer.changed else "unchanged"


def _request(received: Received, command: ModelCommand, ref: ModelRef, sender: Sender) -> Request:
    return Request(
        ref=ref,
        command=command,
        source=received.source,
        id=received.id,
        actor=sender.actor,
        claimed_actor=sender.claimed_actor,
        correlation_id=received.correlation_id,
        traceparent=received.traceparent,
        expires_at=received.expires_at,
        by_event=True,
        queue=True,
    )
