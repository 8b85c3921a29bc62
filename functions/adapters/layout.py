"""Where things lie in Redis, and how what a step asks becomes the keys and arguments of a script."""

import hashlib
import json
import re
import uuid
from datetime import UTC, datetime

from events.location import Location
from events.model import ModelRef
from functions.adapters import codec
from functions.lifecycle.effects import Commit
from functions.lifecycle.record import Record
from functions.lifecycle.request import Request

TAG = "{modelswitch}"
AUDIT_LENGTH = 100_000
CHANGES_LENGTH = 10_000  # enough for who was away for minutes; who was away longer starts over
OVERLAP_SECONDS = 30  # a step lives for 10 s at most, so no two looks further apart can be in each other's way
_COUNTING = re.compile(r"\b\d+s\b")


def seen_key(request: Request) -> str:
    """Of the channel and of who sent it too: what one sender calls itself, or its event, never stands for another's command."""
    return request.seen_as or seen_name(request.channel, request.actor, request.ref.subject, request.source, request.id)


def seen_name(channel: str, actor: str, subject: str, source: str, identity: str) -> str:
    parts = json.dumps([channel, actor, subject, source, identity])
    return f"{TAG}:seen:{hashlib.sha256(parts.encode()).hexdigest()[:40]}"


def model_key(ref: ModelRef) -> str:
    return f"{TAG}:model:{ref.subject}"


def line_key(ref: ModelRef) -> str:
    return f"{TAG}:line:{ref.subject}"


LINES = f"{TAG}:lines"
"""The models that have a line, since when."""


def fingerprint(request: Request) -> str:
    wanted = f"{request.ref.subject} {request.command.type} {request.command.model_dump_json(exclude={'actor'})}"
    return hashlib.sha256(wanted.encode()).hexdigest()[:16]


def milliseconds(moment: datetime | None) -> str:
    return str(round(moment.timestamp() * 1000)) if moment else ""


def moment_of(milliseconds: str | int) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def place_of(location: Location, namespace: str) -> str:
    """A claim is in a namespace; everything else is where it is for all of them."""
    return f"{namespace if location.claim else ''} {location}"


def _places(record: Record) -> list[str]:
    return [place_of(Location.parse(uri), record.ref.namespace) for uri in record.artifacts]


def shown_of(record: Record) -> str:
    """A digest of what people are shown of a model. Seconds that only count on in a message are no change."""
    if record.state is None or record.observed_at is None:
        return ""
    text = _COUNTING.sub("", record.status().model_dump_json(exclude={"observed_at"}))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _outcome(ask: Commit) -> str:
    if ask.refusal:
        return f"!{codec.dump_refusal(ask.refusal)}"
    return codec.dump_answer(ask.answer) if ask.answer else ""


ENTRIES_AT = 17
"""Where the audit entries begin in commit.lua's arguments, counted from 0; how many there are stands at 13."""


def commit_words(ask: Commit) -> tuple[list[str], list[str]]:
    """KEYS and ARGV of commit.lua."""
    record = ask.record
    args = [
        uuid.uuid4().hex,
        ask.token or "",
        str(ask.expected),
        codec.dump_record(record) if record else "",
        str(record.version if record else 0),
        str(record.pods_version if record else 0),
        _outcome(ask),
        "1" if ask.forget else "0",
        milliseconds(ask.due),
        ask.ref.subject,
        str(AUDIT_LENGTH),
        record.uid if record else "",
        str(OVERLAP_SECONDS * 1000),
        str(len(ask.audit)),
        "\n".join(_places(record)) if record else "",
        shown_of(record) if record else "",
        str(CHANGES_LENGTH),
        *(codec.dump_audit(entry) for entry in ask.audit),
        *(codec.dump_fact(fact) for fact in ask.facts),
    ]
    seen = seen_key(ask.request) if ask.request and ask.token else f"{TAG}:seen:none"
    names = ("audit", "outbox", "due", "models", "artifacts", "changes")
    return [seen, model_key(ask.ref), *(f"{TAG}:{name}" for name in names)], args
