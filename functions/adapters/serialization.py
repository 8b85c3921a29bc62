"""How values of lifecycle are written in Redis: compact JSON, each document with its schema number.

Beside the document, as a field of its own, the number is for an intent (`plan_schema`), an answer (`schema`) and an
entry of the history (`v`). How documents of other versions are read: stored.py.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from events.commands import ModelCommand, ReloadRequested, StartRequested, StopRequested
from events.model import Frozen, ModelRef, Moment
from functions.adapters.stored import (
    SCHEMA,
    Unreadable,
    known_values,
    read_json,
    read_model,
    read_values,
    told_unreadable,
)
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import AuditEntry, Published, StepAnswer
from functions.lifecycle.errors import Code, Refused, StepError
from functions.lifecycle.reasons import Reason
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.request import Request

_COMMANDS: dict[str, type[ModelCommand]] = {
    model.type: model for model in (StopRequested, StartRequested, ReloadRequested)
}
MOST_ENTRY_BYTES = 1024
_SHORTENED = ("message", "reason", "source", "event_id", "correlation_id", "actor", "claimed_actor", "code", "action")
_SHORT_BYTES = 80
_RENAMED_REASONS = {"CanaryFailed": Reason.SMOKE_TEST_FAILED}
"""Of the version before, as this one calls them."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EVENT_TYPE = re.compile(r"dev\.modelswitch\.[a-z0-9.-]{1,200}")
F = TypeVar("F", bound=Frozen)
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
_ENTRY: TypeAdapter[AuditEntry] = TypeAdapter(AuditEntry)
_LETTER: TypeAdapter[DeadLetter] = TypeAdapter(DeadLetter)
_ANSWER: TypeAdapter[StepAnswer] = TypeAdapter(StepAnswer)


@dataclass(frozen=True)
class StoredEvent:
    """An event in the outbox as it is stored: it leaves as it was written, also where this version does not know its
    type.
    """

    id: str
    ref: ModelRef
    type: str
    data: Mapping[str, Any]
    time: datetime
    correlation_id: str | None = None
    traceparent: str | None = None
    on_behalf_of: str | None = None

    @property
    def is_command(self) -> bool:
        return self.type == ReloadRequested.type


def _compact(values: Mapping[str, Any]) -> str:
    """Halves of surrogate pairs, which no stored text may have, become question marks."""
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="replace").decode()


def _numbered(values: Mapping[str, Any]) -> str:
    return _compact({"schema": SCHEMA, **values})


def dump_record(record: Record) -> str:
    return f'{{"schema":{SCHEMA},{record.model_dump_json(exclude_defaults=True)[1:]}'


def load_record(text: str | None) -> Record | None:
    """None also where it can't be read: the cluster knows what is true now. A state that was not seen is none."""
    if not text:
        return None
    try:
        record = read_model(Record, text)
        state = record.state if record.observed_at else None
        return record.model_copy(update={"state": state, "reason": _renamed(record.reason)})
    except Unreadable as error:
        told_unreadable("record", error)
        return None


def _renamed(reason: str | None) -> str | None:
    return _RENAMED_REASONS.get(reason or "", reason)


def dump_intent(intent: Intent) -> str:
    return intent.model_dump_json()


def load_intent(text: str | None) -> Intent | None:
    if not text:
        return None
    try:
        return read_model(Intent, text)
    except Unreadable as error:
        told_unreadable("intent", error)
        return None


def dump_answer(answer: StepAnswer) -> str:
    return _compact({"status": answer.status, "body": answer.body, "changed": answer.changed})


def load_answer(text: str) -> StepAnswer:
    """Where it can't be read the command still counts as answered: it must not be done twice."""
    try:
        answer = known_values(_ANSWER, text)
    except Unreadable as error:
        told_unreadable("answer", error)
        return StepAnswer(202)
    return answer if 200 <= answer.status < 300 else StepAnswer(202)


def dump_refusal(error: StepError) -> str:
    named = ("status", "code", "message", "next_action", "retry_after")
    return _compact({name: getattr(error, name) for name in named})


def load_refusal(text: str) -> StepError:
    """A stored refusal as the error that it was; a code of another version, or what can't be read, becomes Conflict."""
    try:
        values = read_json(text)
        code = Code(values["code"]) if values.get("code") in set(Code) else Code.CONFLICT
        after, status = values.get("retry_after"), values["status"]
        refusal = Refused(code, str(values["message"]), str(values["next_action"]), retry_after=after and float(after))
        refusal.status = status if isinstance(status, int) and 400 <= status < 600 else Refused.status
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        told_unreadable("refusal", Unreadable(str(error)[:200]))
        return Refused(Code.CONFLICT, "it was refused", "See the model's history for why.")
    return refusal


def dump_command(request: Request) -> str:
    return _numbered(
        {
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
        values = read_json(text)
        return Request(
            ref=_ref(values["subject"]),
            command=_COMMANDS[values["type"]].model_validate(values["data"], extra="ignore"),
            source=_text(values["source"]),
            id=_text(values["id"]),
            actor=_text(values["actor"]),
            claimed_actor=_text_or_none(values.get("claimed_actor")),
            correlation_id=_text_or_none(values.get("correlation_id")),
            traceparent=_text_or_none(values.get("traceparent")),
            expires_at=_moment(values["expires_at"]) if values.get("expires_at") else None,
            by_event=bool(values.get("by_event")),
            queue=bool(values.get("queue")),
            seen_as=seen_as,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        told_unreadable("command", Unreadable(str(error)[:200]))
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unreadable(f"{type(value).__name__}, expected a text")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def dump_audit(entry: AuditEntry) -> str:
    """1 KiB, or a little more where texts have to be escaped: long ones are cut, and stay on one line.

    A correlation id that is the event's own id, as where the sender gave none, is left out.
    """
    values = vars(entry) | {
        "time": entry.time.isoformat().replace("+00:00", "Z"),
        "ref": entry.ref.subject if entry.ref else None,
    }
    if entry.correlation_id == entry.event_id:
        del values["correlation_id"]
    values = {key: _one_line(value) for key, value in values.items() if value not in (None, False)}
    text = _compact(values)
    for name in _SHORTENED:
        over = len(text.encode()) - MOST_ENTRY_BYTES
        if over <= 0:
            break
        if isinstance(values.get(name), str):
            values[name] = _cut(values[name], over)
            text = _compact(values)
    return text


def _one_line(value: Any) -> Any:
    return _CONTROL.sub(" ", value) if isinstance(value, str) else value


def _cut(text: str, over: int) -> str:
    encoded = text.encode(errors="replace")
    kept = max(_SHORT_BYTES, len(encoded) - over - 3)
    return text if kept >= len(encoded) else encoded[:kept].decode(errors="ignore") + "…"


def load_audit(text: str) -> AuditEntry:
    """Raises Unreadable."""
    values = read_json(text)
    if not isinstance(values, dict):
        raise Unreadable(f"{type(values).__name__}, expected an object")
    values["ref"] = _ref(values["ref"]) if values.get("ref") else None
    values["time"] = _moment(values.get("time"))
    values.setdefault("correlation_id", values.get("event_id"))
    entry = read_values(_ENTRY, values)
    return replace(entry, code=_renamed(entry.code))


def dump_letter(letter: DeadLetter) -> str:
    return _numbered({key: value for key, value in vars(letter).items() if value not in (None, 0)})


def load_letter(text: str) -> DeadLetter:
    """Raises Unreadable."""
    return known_values(_LETTER, text)


def dump_event(published: Published) -> str:
    return _numbered(
        {
            "id": published.id,
            "subject": published.ref.subject,
            "type": published.event.type,
            "data": published.event.model_dump(mode="json"),
            "time": published.time.isoformat(),
            "correlation_id": published.correlation_id,
            "traceparent": published.traceparent,
            "on_behalf_of": published.on_behalf_of,
        }
    )


def load_event(text: str) -> StoredEvent:
    """Raises Unreadable."""
    values = read_json(text)
    if not isinstance(values, dict):
        raise Unreadable(f"{type(values).__name__}, expected an object")
    name, identity, data = (values.get(key) for key in ("type", "id", "data"))
    if not (isinstance(name, str) and _EVENT_TYPE.fullmatch(name)):
        raise Unreadable(f"type {str(name)[:80]!r}, expected one of modelswitch's own")
    if not (isinstance(identity, str) and 0 < len(identity) <= 256 and isinstance(data, dict)):
        raise Unreadable("no id, or no data")
    correlation, trace = (values.get(key) for key in ("correlation_id", "traceparent"))
    return StoredEvent(
        id=identity,
        ref=_ref(values.get("subject")),
        type=name,
        data=data,
        time=_moment(values.get("time")),
        correlation_id=correlation if isinstance(correlation, str) else None,
        traceparent=trace if isinstance(trace, str) else None,
        on_behalf_of=_text_or_none(values.get("on_behalf_of")),
    )


def load_state(kind: type[F], text: str, most: int) -> F | None:
    """A document that says how far some work has come; None where there is none that can be read: it begins again."""
    if not text:
        return None
    try:
        return read_model(kind, text, most)
    except Unreadable as error:
        told_unreadable(kind.__name__.lower(), error)
        return None


def refs_of(subjects: list[str]) -> list[ModelRef]:
    """Of the subjects that this version understands; another one may know further kinds."""
    refs = []
    for subject in subjects:
        try:
            refs.append(_ref(subject))
        except Unreadable as error:
            told_unreadable("subject", error)
    return refs


def _ref(subject: object) -> ModelRef:
    try:
        return ModelRef.from_subject(subject if isinstance(subject, str) else "")
    except ValueError as error:
        raise Unreadable(f"subject {str(subject)[:80]!r} names no model") from error


def _moment(value: object) -> datetime:
    try:
        return _MOMENT.validate_python(value)
    except ValidationError as error:
        raise Unreadable(f"time {str(value)[:80]!r}") from error
