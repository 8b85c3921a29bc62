"""A command event, taken through its step, once its sender and its namespace's consent are known."""

from datetime import UTC, datetime

from starlette.requests import Request as HttpRequest

from events.commands import Command, ModelCommand
from events.envelope import Received, understand
from events.model import ModelRef
from events.wire import open_event
from functions.adapters.command_log import Outcome
from functions.command_order import Place
from functions.composition import Parts
from functions.lifecycle.effects import AuditEntry, Handled
from functions.lifecycle.errors import Code, Refused
from functions.lifecycle.request import Request
from functions.senders import Sender, sender_of


async def take(parts: Parts, http: HttpRequest, body: bytes, *accepts: type[Command]) -> Handled | Code:
    """Returns `changed`, `unchanged`, `in line`, or the code of a refusal: then nothing is claimed, and only the
    refusal is kept.
    """
    event = open_event(http.headers, body)
    received = understand(event, accepts=[wanted.type for wanted in accepts])
    command, ref = received.data, received.ref
    if not (isinstance(command, ModelCommand) and isinstance(ref, ModelRef)):
        raise TypeError(f"{received.type} is not a command for a model")
    sender = sender_of(event, command.actor, parts.signer, http.state.user)
    request = _request(received, command, ref, sender)
    place = parts.order.join(f"{sender.actor} {received.source}", ref.subject)
    try:
        return await _take_in_order(parts, request, sender, place)
    finally:
        place.leave()


async def _take_in_order(parts: Parts, request: Request, sender: Sender, place: Place) -> Handled | Code:
    if not sender.ours:
        consent, refused = await parts.consents.ask(request.ref.namespace, request.verb, sender.source, sender.user)
        if refused:
            parts.commands.tell(request, Outcome(code=refused.code, message=refused.message))
            if consent.exists:
                await parts.store.write_refusal(_refusal(request, refused))
            return refused.code
    await place.turn()
    in_line = line_empty = False
    try:
        answer = await parts.reconciler.command(request, placed=place.leave)
        in_line, line_empty = answer.ahead is not None, answer.last
    finally:
        if not (in_line or line_empty):  # in line: the process that has the lease goes on with it
            parts.line.go_on(request.ref)
    if in_line:
        return Handled.IN_LINE
    return Handled.CHANGED if answer.changed else Handled.UNCHANGED


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


def _refusal(request: Request, refused: Refused) -> AuditEntry:
    return AuditEntry(
        time=datetime.now(UTC),
        ref=request.ref,
        action=request.verb,
        actor=request.actor,
        claimed_actor=request.claimed_actor,
        code=refused.code,
        reason=request.command.reason,
        message=refused.message,
        source=request.source,
        event_id=request.id,
        correlation_id=request.correlation_id,
    )
