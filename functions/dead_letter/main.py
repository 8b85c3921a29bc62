"""What no function could take: written into the audit, with its data, so that somebody finds it and can send it again."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.wire import open_event
from functions.composition import Parts, now
from functions.handler import handle
from functions.lifecycle.effects import AuditEntry
from functions.lifecycle.letter import Letter


async def _work(parts: Parts, request: Request, body: bytes) -> str:
    event = open_event(request.headers, body)
    attributes = event.get_attributes()
    letter = Letter.of(attributes, event.data)
    entry = AuditEntry(
        time=now(),
        ref=letter.ref,
        action="dead-letter",
        actor=str(attributes["source"]),
        code=str(attributes.get("knativeerrorcode", "unknown")),
        message=f"{attributes['type']} could not be delivered to {attributes.get('knativeerrordest', 'its subscriber')}",
        source=str(attributes["source"]),
        event_id=str(attributes["id"]),
        correlation_id=str(attributes.get("correlationid") or attributes["id"]),
    )
    await parts.store.write_audit(entry, letter)
    return "recorded"


@functions_framework.aio.http
async def dead_letter(request: Request) -> Response:
    return await handle("dead_letter", request, _work, cluster_used=False)
