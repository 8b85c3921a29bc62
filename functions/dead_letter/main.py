"""What no function could take: written into the audit, so that somebody finds it."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.wire import open_event
from functions.composition import Parts, now
from functions.dead_letter.subject import model_of
from functions.handler import handle
from functions.lifecycle.effects import AuditEntry


async def _work(parts: Parts, request: Request, body: bytes) -> str:
    event = open_event(request.headers, body)
    attributes = event.get_attributes()
    entry = AuditEntry(
        time=now(),
        ref=model_of(attributes.get("subject")),
        action="dead-letter",
        actor=str(attributes["source"]),
        code=str(attributes.get("knativeerrorcode", "unknown")),
        message=f"{attributes['type']} could not be delivered to {attributes.get('knativeerrordest', 'its subscriber')}",
        source=str(attributes["source"]),
        event_id=str(attributes["id"]),
    )
    await parts.store.write_audit(entry)
    return "recorded"


@functions_framework.aio.http
async def dead_letter(request: Request) -> Response:
    return await handle("dead_letter", request, _work)
