"""How values of lifecycle are written in Redis: compact JSON."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from events.catalogue.types import FACTS
from events.commands import ModelCommand, ReloadRequested, StartRequested, StopRequested
from events.model import ModelRef
from functions.lifecycle.effects import AuditEntry, Published, StepAnswer
from functions.lifecycle.errors import Code, Refused, StepError
from functions.lifecycle.letter import Letter
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.request import Request

COMMAND_SCHEMA = 1
_COMMANDS: dict[str, type[ModelCommand]] = {
    model.type: model for model in (StopRequested, StartRequested, ReloadRequested)
}
_PUBLISHED = {model.type: model for model in (*FACTS, ReloadRequested)}


def _compact(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"))


def dump_record(record: Record) -> str:
    return record.model_dump_json(exclude_defaults=True)


def load_record(text: str | None) -> Record | None:
    return Record.model_validate_json(text) if text else None


def load_intent(text: str | None) -> Intent | None:
    return Intent.model_validate_json(text) if text else None


def dump_answer(answer: StepAnswer) -> str:
    return _compact({"status": answer.status, "body": answer.body, "changed": answer.changed})


def load_answer(text: str) -> StepAnswer:
    return StepAnswer(**json.loads(text))


def dump_refusal(error: StepError) -> str:
    named = ("status", "code", "message", "next_action", "retry_after")
    return _compact({name: getattr(error, name) for name in named})


def load_refusal(text: str) -> StepError:
    """What it was told that nobody heard; a code of another version is told as a conflict."""
    values = json.loads(text)
    code = Code(values["code"]) if values.get("code") in set(Code) else Code.CONFLICT
    refusal = Refused(code, values["message"], values["next_action"], retry_after=values.get("retry_after"))
    refusal.status = values["status"]
    return refusal


def dump_command(request: Request) -> str:
    return _compact(
        {
            "schema": COMMAND_SCHEMA,
            "subject": request.ref.subject,
            "type": request.command.type,
            "data": request.command.model_dump(mode="json"),
            "source": request.source,
            "id": request.id,
            "actor": request.actor,
            "claimed_actor": request.claimed_actor,
            "correlation_id": request.correlation_id,
            "traceparent": request.traceparent,
            "expires_at": request.expires_at.isoformat() if request.expires_at else None,
            "by_event": request.by_event,
            "queue": request.queue,
        }
    )


def load_command(text: str, seen_as: str) -> Request | None:
    """None where it can't be read. What a newer version has written into it besides is passed over."""
    try:
        values = json.loads(text)
        command = _COMMANDS[values["type"]]
        data = {name: value for name, value in values["data"].items() if name in command.model_fields}
        expires = values.get("expires_at")
        return Request(
            ref=ModelRef.from_subject(values["subject"]),
            command=command.model_validate(data),
            source=values["source"],
            id=values["id"],
            actor=values["actor"],
            claimed_actor=values.get("claimed_actor"),
            correlation_id=values.get("correlation_id"),
            traceparent=values.get("traceparent"),
            expires_at=datetime.fromisoformat(expires) if expires else None,
            by_event=bool(values.get("by_event")),
            queue=bool(values.get("queue")),
            seen_as=seen_as,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def dump_audit(entry: AuditEntry) -> str:
    """A correlation id that is the event's own id, as where nobody gave one, is left out: there are 100,000 entries."""
    values = vars(entry) | {"time": entry.time.isoformat(), "ref": entry.ref.subject if entry.ref else None}
    if entry.correlation_id == entry.event_id:
        del values["correlation_id"]
    return _compact({key: value for key, value in values.items() if value not in (None, False)})


def load_audit(text: str) -> AuditEntry:
    values = json.loads(text)
    values["time"] = datetime.fromisoformat(values["time"])
    values["ref"] = ModelRef.from_subject(values["ref"]) if values.get("ref") else None
    values.setdefault("correlation_id", values.get("event_id"))
    return AuditEntry(**values)


def dump_letter(letter: Letter) -> str:
    return _compact({key: value for key, value in vars(letter).items() if value not in (None, 0)})


def load_letter(text: str) -> Letter:
    return Letter(**json.loads(text))


def dump_fact(published: Published) -> str:
    return _compact(
        {
            "id": published.id,
            "subject": published.ref.subject,
            "type": published.fact.type,
            "data": published.fact.model_dump(mode="json"),
            "time": published.time.isoformat(),
            "correlation_id": published.correlation_id,
            "traceparent": published.traceparent,
            "on_behalf_of": published.on_behalf_of,
        }
    )


def load_fact(text: str) -> Published:
    values = json.loads(text)
    return Published(
        id=values["id"],
        ref=ModelRef.from_subject(values["subject"]),
        fact=_PUBLISHED[values["type"]].model_validate(values["data"]),
        time=datetime.fromisoformat(values["time"]),
        correlation_id=values["correlation_id"],
        traceparent=values["traceparent"],
        on_behalf_of=values.get("on_behalf_of"),
    )
