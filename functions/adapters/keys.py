"""Where things lie in Redis, and how what a step asks becomes the keys and arguments of a script."""

import hashlib
import json
import re
import uuid
from datetime import UTC, datetime

from events.commands import ReloadRequested
from events.location import Location
from events.model import ModelRef
from functions.adapters import serialization
from functions.adapters.stored import SCHEMA
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import AuditEntry
from functions.lifecycle.record import Record
from functions.lifecycle.request import Request
from functions.reconcile.ports import Commit

TAG = "{modelswitch}"
HISTORY_ENTRIES = 100_000
"""Of all namespaces together; each has an equal share, 10,000 at most. An entry is 1 KiB at most."""
REFUSAL_ENTRIES = 20_000
LETTERS = 1000  # of 16 KiB at most: 16 MiB, however much poison comes
WAITING_EVENTS = 20_000
INDEXED_ENTRIES = 200_000
"""Of all models together; each model's index has at least 100, at most 1,000."""
NAMESPACES = 2000  # with streams of their own; what concerns others shares those of the installation
CHANGES_LENGTH = 10_000  # enough for who was away for minutes; who was away longer starts over
LEFT_SECONDS = 7 * 24 * 3600  # how long what is left of a deleted model is kept
OVERLAP_SECONDS = 30  # a step lives for 10 s at most, so no two looks further apart can be in each other's way
_COUNTING = re.compile(r"\b\d+s\b")


def seen_key(request: Request) -> str:
    """Of the channel and of who sent it too: what one sender calls itself, or its event, never stands for another's
    command.
    """
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
        return f"!{serialization.dump_refusal(ask.refusal)}"
    return serialization.dump_answer(ask.answer) if ask.answer else ""


ENTRIES_AT, KINDS_AT = 21, 13
"""Where the audit entries begin in commit.lua's arguments, counted from 0, and where a letter for each of them stands.
"""

_KEYS = ("due", "models", "artifacts", "changes", "namespaces", "history", "refusals", "letters", "outbox", "outboxes")
_LIMITS = (
    HISTORY_ENTRIES,
    REFUSAL_ENTRIES,
    LETTERS,
    WAITING_EVENTS,
    INDEXED_ENTRIES,
    NAMESPACES,
    CHANGES_LENGTH,
    LEFT_SECONDS,
)


def commit_words(ask: Commit) -> tuple[list[str], list[str]]:
    """KEYS and ARGV of commit.lua."""
    seen = seen_key(ask.request) if ask.request and ask.token else f"{TAG}:seen:none"
    return _words(ask.ref, seen, ask)


def entry_words(entry: AuditEntry, letter: DeadLetter | None = None) -> tuple[list[str], list[str]]:
    """KEYS and ARGV of commit.lua for an entry that comes of no step, and for the event that it is about."""
    ask = Commit(entry.ref or _NO_MODEL, 0, None, audit=(entry,))
    return _words(entry.ref, f"{TAG}:seen:none", ask, serialization.dump_letter(letter) if letter else "", quiet=True)


_NO_MODEL = ModelRef(namespace="none", name="none")


def _words(
    ref: ModelRef | None, seen: str, ask: Commit, letter: str = "", *, quiet: bool = False
) -> tuple[list[str], list[str]]:
    record = ask.record
    subject = ref.subject if ref else ""
    args = [
        uuid.uuid4().hex,
        ask.token or "",
        str(ask.expected),
        serialization.dump_record(record) if record else "",
        str(record.version if record else 0),
        str(record.pods_version if record else 0),
        _outcome(ask),
        "1" if ask.forget else "0",
        milliseconds(ask.due),
        subject,
        ref.namespace if ref else "",
        record.uid if record else "",
        str(OVERLAP_SECONDS * 1000),
        "".join("r" if entry.code else "h" for entry in ask.audit),
        "\n".join(_places(record)) if record else "",
        shown_of(record) if record else "",
        "".join("c" if isinstance(published.event, ReloadRequested) else "f" for published in ask.events),
        letter,
        "1" if quiet else "0",
        str(SCHEMA),
        " ".join(str(limit) for limit in _LIMITS),
        *(serialization.dump_audit(entry) for entry in ask.audit),
        *(serialization.dump_event(published) for published in ask.events),
    ]
    indexes = (index_key(subject), index_key(subject, refused=True))
    return [seen, f"{TAG}:model:{subject}", *(f"{TAG}:{name}" for name in _KEYS), f"{TAG}:counts", *indexes], args


def index_key(subject: str, *, refused: bool = False) -> str:
    return f"{TAG}:{'refused' if refused else 'entries'}:{subject}"
