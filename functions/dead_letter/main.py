"""What no function could take: written into the audit, with its data, so that an operator can find it and send it again.

It refuses nothing that the broker delivers: where a dead-letter sink refuses, one broker drops the event without a trace,
another answers 500 to its publisher. Events of types that no function takes come here too, by a Trigger of their own.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.artifacts.s3 import S3_TYPE_PREFIX
from events.catalogue.types import COMMANDS, MODELS, NOTIFICATIONS
from events.errors import ContractError, Impossible, Malformed, shown
from events.senders import printable
from events.wire import MAX_BODY_BYTES, open_event, salvage
from functions.composition import Parts, now
from functions.handler import handle
from functions.lifecycle.dead_letter import UNKNOWN, DeadLetter
from functions.lifecycle.effects import Action, AuditEntry, Handled
from functions.senders import actor_of, claim_in


async def _work(parts: Parts, request: Request, body: bytes) -> Handled:
    attributes, data, letter, unread = _read(request, body)
    identity = _text(attributes.get("id"))
    unwanted = _is_unwanted(letter.type)
    entry = AuditEntry(
        time=now(),
        ref=letter.ref,
        action=Action.DEAD_LETTER,
        actor=actor_of(str(attributes.get("source") or UNKNOWN)),
        claimed_actor=claim_in(data),
        code=_text(attributes.get("knativeerrorcode")) or (Impossible.code if unwanted else UNKNOWN),
        message=_unwanted(letter.type) if unwanted else _undelivered(letter.type, attributes, unread),
        source=_text(attributes.get("source")),
        event_id=identity,
        correlation_id=_text(attributes.get("correlationid")) or identity,
    )
    await parts.store.write_audit(entry, letter)
    return Handled.RECORDED


def _read(request: Request, body: bytes) -> tuple[Mapping[str, Any], Any, DeadLetter, ContractError | None]:
    """Attributes and data as far as they can be read, and why not all of it."""
    size: int = request.state.size
    try:
        if size > MAX_BODY_BYTES:
            raise Malformed(f"a body of {size:,} bytes", f"at most {MAX_BODY_BYTES:,}", "Send a smaller event.")
        event = open_event(request.headers, body)
    except ContractError as error:
        attributes = salvage(request.headers, body)
        return attributes, None, DeadLetter.unreadable(attributes, body, size), error
    return event.get_attributes(), event.data, DeadLetter.of(event.get_attributes(), event.data), None


def _is_unwanted(event_type: str) -> bool:
    known = event_type in MODELS or event_type in NOTIFICATIONS or event_type.startswith(S3_TYPE_PREFIX)
    return not known and event_type != UNKNOWN


def _unwanted(event_type: str) -> str:
    words = {model.type.removeprefix("dev.modelswitch."): model.type for model in COMMANDS}
    near = get_close_matches(event_type.removeprefix("dev.modelswitch."), words, n=1)
    meant = f"perhaps {words[near[0]]} is meant" if near else f"those of commands are {', '.join(words.values())}"
    return f"no function takes events of type {shown(event_type)}; {meant}. Correct the type and send it again."


def _undelivered(event_type: str, attributes: Mapping[str, Any], unread: ContractError | None) -> str:
    message = f"{event_type} could not be delivered to {destination_of(attributes)}"
    return f"{message}; it could not be read: {unread.message}" if unread else message


def _text(value: object) -> str | None:
    return None if value is None else printable(str(value))


def destination_of(attributes: Mapping[str, Any]) -> str:
    """Without the query, which holds the delivery secret."""
    return str(attributes.get("knativeerrordest") or "its subscriber").partition("?")[0]


@functions_framework.aio.http
async def dead_letter(request: Request) -> Response:
    return await handle("dead_letter", request, _work, cluster_used=False, whole=False)
