"""Events on their way to the broker, in lanes: own commands and other events apart, and of each a lane per namespace.

What one lane's entries meet does not hold up another's. What can never leave is set aside, where people see it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from functions.adapters import serialization
from functions.adapters.connection import Script, translated
from functions.adapters.history import History
from functions.adapters.keys import TAG
from functions.adapters.serialization import StoredEvent
from functions.adapters.stored import Unreadable, told_unreadable
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import Action, AuditEntry
from functions.lifecycle.errors import Code

SET_ASIDE_LENGTH = 1000
FLUSH_LEASE_SECONDS = 6  # renewed with each page; a page is given up after half of it
_OLDER = f"{TAG}:outbox"
_DEAD = f"{TAG}:outbox-dead"
_ATTEMPTS = f"{TAG}:attempts"
_ATTEMPTS_KEPT_SECONDS = 7 * 24 * 3600
_COUNTS = f"{TAG}:counts"
_LANES = f"{TAG}:outboxes"
_FLUSH = f"{TAG}:flush"
OLDER_LANE = ""
"""The one outbox that versions before these lanes had. They write and read it; this one only reads it."""


@dataclass(frozen=True)
class Waiting:
    """An event in the outbox; `lane` and `entry` acknowledge it. `attempts` that failed."""

    entry: str
    event: StoredEvent
    lane: str = OLDER_LANE
    attempts: int = 0

    @property
    def since(self) -> datetime:
        return since_of(self.entry)


@dataclass(frozen=True)
class SetAside:
    """An event that never left, and why. `event` None: it can't be read."""

    entry: str
    at: datetime
    why: str
    namespace: str
    event: StoredEvent | None


@dataclass(frozen=True)
class Counts:
    """`oldest`: since when the oldest event waits. `set_aside` and `dropped` count since Redis began empty."""

    waiting: int
    oldest: datetime | None
    set_aside: int
    dropped: int


class Outbox:
    """Raises StoreUnavailable where Redis does not answer, and nothing else."""

    def __init__(self, client: Any, history: History) -> None:
        self._redis = client
        self._history = history
        self._flush = Script(client, "flush")
        self._sent = Script(client, "sent")

    async def lanes(self) -> list[str]:
        """Those where something waits, the one that was served longest ago first; own commands and other events in turn."""
        with translated():
            names: list[str] = await self._redis.zrange(_LANES, 0, -1)
            older = await self._redis.exists(_OLDER)
        commands = [name for name in names if name.startswith("c")]
        events = [name for name in names if not name.startswith("c")]
        in_turn = [name for pair in zip_longest(commands, events) for name in pair if name is not None]
        return ([OLDER_LANE] if older else []) + in_turn

    async def waiting(self, lane: str, limit: int) -> list[Waiting]:
        """The oldest first. What can't be read is set aside."""
        with translated():
            entries = await self._redis.xrange(_key(lane), count=limit)
            attempts = (
                await self._redis.hmget(_ATTEMPTS, [f"{lane} {entry}" for entry, _ in entries]) if entries else []
            )
        found: list[Waiting] = []
        for (entry, fields), tried in zip(entries, attempts, strict=True):
            try:
                event = serialization.load_event(fields.get("d", ""))
            except Unreadable as error:
                told_unreadable("outbox", error)
                await self.set_aside(lane, entry, f"it can't be read: {error}")
            else:
                found.append(Waiting(entry, event, lane, int(tried or 0)))
        return found

    async def sent(self, lane: str, entries: Sequence[str]) -> None:
        if entries:
            await self._leave(lane, entries, "")

    async def set_aside(self, lane: str, entry: str, why: str, event: StoredEvent | None = None) -> None:
        """It can never leave: kept as it is among the last 1,000 of these, and shown among what was refused."""
        letter = DeadLetter.of({"type": event.type, "subject": event.ref.subject}, event.data) if event else None
        await self._history.write(_entry(entry, why, event), letter)
        await self._leave(lane, [entry], why[:500])

    async def failed(self, lane: str, entry: str) -> None:
        with translated():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hincrby(_ATTEMPTS, f"{lane} {entry}", 1)
            pipeline.expire(_ATTEMPTS, _ATTEMPTS_KEPT_SECONDS)
            pipeline.zadd(_LANES, {lane: _now()}, xx=True)
            await pipeline.execute()

    async def take_lease(self, token: str) -> bool:
        """False where another process sends; that one looks once more. Renews it for its holder."""
        with translated():
            return bool(await self._flush(keys=[_FLUSH], args=[token, FLUSH_LEASE_SECONDS * 1000, "take"]))

    async def end_lease(self, token: str) -> bool:
        """True where another process came in between: the lease is kept, to look once more."""
        with translated():
            return bool(await self._flush(keys=[_FLUSH], args=[token, FLUSH_LEASE_SECONDS * 1000, "end"]))

    async def dead(self, limit: int) -> list[SetAside]:
        """What was set aside, the newest first."""
        with translated():
            entries = await self._redis.xrevrange(_DEAD, count=limit)
        return [_aside(entry, fields) for entry, fields in entries]

    async def counts(self) -> Counts:
        with translated():
            lanes = await self.lanes()
            pipeline = self._redis.pipeline(transaction=False)
            for lane in lanes:
                pipeline.xlen(_key(lane))
                pipeline.xrange(_key(lane), count=1)
            pipeline.hmget(_COUNTS, ["set_aside", "dropped"])
            *found, (aside, dropped) = await pipeline.execute()
        oldest = [since_of(page[0][0]) for page in found[1::2] if page]
        return Counts(sum(found[::2]), min(oldest, default=None), int(aside or 0), int(dropped or 0))

    async def _leave(self, lane: str, entries: Sequence[str], why: str) -> None:
        with translated():
            await self._sent(
                keys=[_key(lane), _LANES, _ATTEMPTS, _DEAD, _COUNTS],
                args=[lane, SET_ASIDE_LENGTH, why, _now(), *entries],
            )


def new_token() -> str:
    return uuid.uuid4().hex


def _entry(entry: str, why: str, event: StoredEvent | None) -> AuditEntry:
    return AuditEntry(
        time=datetime.now(UTC),
        ref=event.ref if event else None,
        action=Action.NOT_PUBLISHED,
        actor="modelswitch",
        code=Code.NOT_PUBLISHED,
        message=f"{event.type if event else 'An event'} could not be published: {why}",
        source="/modelswitch",
        event_id=event.id if event else entry,
        correlation_id=event.correlation_id if event else None,
    )


def since_of(entry: str) -> datetime:
    time = int(entry.partition("-")[0])
    return datetime.fromtimestamp(min(time, 10**14) / 1000, UTC)


def _key(lane: str) -> str:
    return f"{TAG}:outbox:{lane}" if lane else _OLDER


def _now() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def _aside(entry: str, fields: dict[str, str]) -> SetAside:
    try:
        event = serialization.load_event(fields.get("d", ""))
    except Unreadable:
        event = None
    namespace = fields.get("lane", "").partition(".")[2] or (event.ref.namespace if event else "")
    return SetAside(entry, since_of(entry), fields.get("why", ""), namespace, event)
