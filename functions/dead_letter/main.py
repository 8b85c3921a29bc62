"""What no function could take: written into the audit, with its data, so that somebody finds it and can send it again."""

from collections.abc import Mapping
from typing import Any

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.wire import open_event
from functions.composition import Parts, now
from functions.handler import handle
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import AuditEntry
from functions.senders import actor_of, claim_in


async def _work(parts: Parts, request: Request, body: bytes) -> str:
    event = open_event(request.headers, body)
    attributes = event.get_attributes()
    letter = DeadLetter.of(attributes, event.data)
    entry = AuditEntry(
        time=now(),
        ref=letter.ref,
        action="dead-letter",
        actor=actor_of(str(attributes["source"])),
        claimed_actor=claim_in(event.data),
        code=str(attributes.get("knativeerrorcode", "unknown")),
        message=f"{attributes['type']} could not be delivered to {destination_of(attributes)}",
        source=str(attributes["source"]),
        event_id=str(attributes["id"]),
        correlation_id=str(attributes.get("correlationid") or attributes["id"]),
    )
    await parts.store.write_audit(entry, letter)
    return "recorded"


def destination_of(attributes: Mapping[str, Any]) -> str:
    """Without the query, which holds the delivery secret."""
    return str(attributes.get("knativeerrordest") or "its subscriber").partition("?")[0]


@functions_framework.aio.http
async def dead_letter(request: Request) -> Response:
    return await handle("dead_letter", request, _work, cluster_used=False)
