"""What of the audit can be sent again, and sending it: the same type, subject and data, a new id, the same correlation id."""

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from cloudevents.http import CloudEvent
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from events.artifact import ArtifactWritten
from events.catalogue.types import FACTS, NOTIFICATIONS
from events.commands import ReloadRequested, StartRequested, StopRequested
from events.envelope import Received, build, understand
from events.errors import ContractError
from events.model import Frozen, Kind, ModelRef
from functions.adapters.history import PLACE
from functions.adapters.identity import NotAllowed
from functions.adapters.sink import SOURCE
from functions.api.bodies import Calling, CallNow, Origin, parse
from functions.api.naming import permitted
from functions.api.pages.rows import Verb
from functions.api.problems import ApiError
from functions.api.steps import run_command
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import Action, AuditEntry
from functions.lifecycle.errors import Code

router = APIRouter(include_in_schema=False)
_HEADER = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")


@dataclass(frozen=True)
class Again:
    """What can be sent again. `verb`: a stop or a start, through its confirmation; None: any other event, as it is.

    `command`: what a stop or a start carried, as far as it is kept. `whole`: it is all that it carried.
    """

    verb: Verb | None
    correlation: str
    command: dict[str, Any] = field(default_factory=dict)
    whole: bool = True

    @property
    def reason(self) -> str:
        return str(self.command.get("reason") or "")

    @property
    def fields(self) -> str:
        """The command as JSON, for the confirmation."""
        return json.dumps(self.command)


def again_of(entry: AuditEntry, letter: DeadLetter | None) -> Again | str:
    """Or why it can't be sent again; "" where there is nothing to send."""
    if not (entry.code and entry.event_id):
        return ""
    correlation = entry.correlation_id or entry.event_id
    correlation = correlation if _HEADER.fullmatch(correlation) else ""
    if letter is None:
        return _by_the_entry(entry, correlation)
    if letter.type in NOTIFICATIONS:
        return "It was only a notification to look; every model is looked at again anyway."
    if letter.type in {event.type for event in FACTS}:
        return "It told what was true then. What is true now stands on the model's page, and in the next event."
    if letter.why_not_kept:
        return f"{letter.why_not_kept} Its sender has to send it again."
    received = read_letter(letter)
    if isinstance(received, str):
        return received
    if isinstance(received.data, StopRequested | StartRequested):
        kept = {name: value for name, value in letter.data.items() if name != "actor" and value is not None}
        return Again("stop" if isinstance(received.data, StopRequested) else "start", correlation, kept)
    return Again(None, correlation)


def _by_the_entry(entry: AuditEntry, correlation: str) -> Again | str:
    """A refused stop or start: model, command and reason are known, and no more."""
    if entry.letter:
        return "The event itself is kept no longer (the last 1,000 are). Its sender has to send it again."
    if entry.ref and entry.action in {Action.STOP, Action.START}:
        verb: Verb = "stop" if entry.action == Action.STOP else "start"
        return Again(verb, correlation, {"reason": entry.reason} if entry.reason else {}, whole=False)
    return "What it carried is not kept. Its sender has to send it again."


def read_letter(letter: DeadLetter) -> Received | str:
    """Understood as a function would; else what is wrong with it."""
    attributes = {"type": letter.type, "source": SOURCE, "id": "kept", "subject": letter.subject}
    try:
        return understand(CloudEvent({name: value for name, value in attributes.items() if value}, letter.data))
    except ContractError as error:
        return f"It would be refused again: {error.message}. Its sender has to correct it."


class SendAgain(Frozen):
    entry: str


@router.post("/audit/again")
async def send_again(call: CallNow) -> JSONResponse:
    """A reload is done here, by the user's own right; a written artifact goes to the broker once more."""
    entry = await _entry(call, parse(SendAgain, call.body).entry)
    letters = await call.api.parts.store.letters([entry.letter] if entry.letter else [])
    letter = letters.get(entry.letter or "")
    again = again_of(entry, letter)
    received = read_letter(letter) if letter else ""
    if isinstance(again, str) or isinstance(received, str):
        why = again if isinstance(again, str) else "only a stop or a start is known of it"
        raise ApiError(409, Code.INVALID_TRANSITION, why or "there is nothing to send", "Have its sender send it.")
    origin = Origin(str(uuid.uuid4()), entry.correlation_id or entry.event_id or "", None)
    match received.data, received.ref:
        case ReloadRequested() as command, ModelRef() as ref:
            ref = await permitted(call.api, call.user, ref, "patch")
            command = command.model_copy(update={"actor": None})
            answer = await run_command(call.api, ref, command, call.user, origin)
            said = answer.body.get("message") or ("The reload is accepted." if answer.body.get("changed") else "")
            return JSONResponse({"message": said or "There was nothing to do."})
        case ArtifactWritten() as written, _:
            return await _publish(call, written, origin)
    raise ApiError(409, Code.INVALID_TRANSITION, "a stop or a start has its confirmation", "Send it from the page.")


async def _entry(call: Calling, place: str) -> AuditEntry:
    found = await call.api.parts.store.entry(place) if PLACE.fullmatch(place) else None
    ref = found.ref if found else None
    kind, namespace = (ref.kind, ref.namespace) if ref else (Kind.INFERENCE_SERVICE, "")
    if found is None or not await call.api.access.may(call.user, "list", kind, namespace):
        raise ApiError(404, Code.NOT_FOUND, "the history has no such entry any more", "Load the page again.")
    return found


async def _publish(call: Calling, written: ArtifactWritten, origin: Origin) -> JSONResponse:
    """It may concern every model that loads from there, of every kind: who sends it must be allowed to change them all."""
    for kind in (Kind.INFERENCE_SERVICE, Kind.LLM_INFERENCE_SERVICE):
        if not await call.api.access.may(call.user, "patch", kind, written.namespace or ""):
            raise NotAllowed(call.user, "patch", kind, written.namespace or "")
    sink = call.api.parts.sink
    if not sink.has_broker:
        raise ApiError(409, Code.INVALID_TRANSITION, "there is no broker to send it to", "Set K_SINK.")
    event = build(written, written.ref, source=SOURCE, id=origin.id, correlation_id=origin.correlation_id)
    status = await sink.send_now(event, on_behalf_of=call.user.name)
    if status is None or status >= 300:
        why = "did not answer in time; it may have it all the same" if status is None else f"answered {status}"
        following = "Try again in a moment; the same artifact is loaded once."
        raise ApiError(503, Code.BROKER_UNAVAILABLE, f"the broker {why}", following)
    return JSONResponse(
        {"message": "The broker has taken it. What becomes of it stands here under its correlation id."}
    )
