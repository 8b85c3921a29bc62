"""Redis: what is remembered of models and commands. The only module that imports redis.

All keys share one hash tag, so that a Redis Cluster takes them as they are. Five Lua scripts write; each checks
everything before it writes anything. Redis' own clock decides about leases.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self, cast

import redis.asyncio as redis
from prometheus_client import Counter
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from events.location import Location
from events.model import ModelRef
from functions.adapters import codec
from functions.adapters.layout import (
    AUDIT_LENGTH,
    CHANGES_LENGTH,
    LINES,
    TAG,
    commit_words,
    fingerprint,
    line_key,
    milliseconds,
    model_key,
    moment_of,
    place_of,
    seen_key,
)
from functions.lifecycle.effects import (
    AuditEntry,
    Claim,
    Claimed,
    Commit,
    Committed,
    InLine,
    Loaded,
    Next,
    Plan,
    Published,
    Release,
)
from functions.lifecycle.errors import Code, Refused, StoreUnavailable, Temporary
from functions.lifecycle.letter import Letter
from functions.lifecycle.record import Record
from functions.lifecycle.request import Request
from functions.logs import logger

LEASE_SECONDS = 15
LINE_LENGTH = 64  # commands that wait for one model; more are told to come again
MOST_CONNECTIONS = 32
CONNECTION_WAIT_SECONDS = 3
REMEMBERED_SECONDS = 7 * 24 * 3600
LETTERS_LENGTH = 1000  # of 16 KiB at most: 16 MiB, however much poison comes
RESYNC_LEASE_SECONDS = 10  # renewed page by page; the tick that died leaves the turn to another one
UNREADABLE = Counter(
    "modelswitch_line_unreadable_total", "Commands in line that could not be read, and were set aside."
)
_LUA = Path(__file__).parent / "lua"


@dataclass(frozen=True)
class Waiting:
    """A fact in the outbox; `entry` acknowledges it."""

    entry: str
    published: Published


@dataclass(frozen=True)
class Change:
    """One entry of the history; `entry` is where to resume."""

    entry: str
    audit: AuditEntry


@dataclass(frozen=True)
class Moved:
    """Something to be shown of a model has changed. `audit` None: it has no entry in the history. `entry`: where to resume."""

    entry: str
    ref: ModelRef
    audit: AuditEntry | None = None


@dataclass(frozen=True)
class Pass:
    """The turn of looking at every model. `doc` is how far it has come; `saved` counts, so that a loss shows."""

    token: str
    saved: str
    doc: str


@contextmanager
def _translated() -> Any:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


class Store:
    """Every method raises StoreUnavailable where Redis does not answer; nothing is then half written."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client  # redis' own types cover every protocol and decoding at once, and so none
        self._claim = client.register_script((_LUA / "claim.lua").read_text())
        self._release = client.register_script((_LUA / "release.lua").read_text())
        self._plan = client.register_script((_LUA / "plan.lua").read_text())
        self._commit = client.register_script((_LUA / "commit.lua").read_text())
        self._resync = client.register_script((_LUA / "resync.lua").read_text())

    @classmethod
    def connect(cls, url: str) -> Self:
        """Retries only for a moment: a caller that waits is better told to come again.

        In a burst, calls wait for a connection; the ordinary pool would fail them as if Redis were away.
        """
        retry = Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=1)
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=MOST_CONNECTIONS,
            timeout=CONNECTION_WAIT_SECONDS,
            socket_timeout=1.5,
            socket_connect_timeout=1,
            retry=retry,
            decode_responses=True,
        )
        return cls(redis.Redis.from_pool(pool))

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        with _translated():
            await self._redis.ping()

    async def claim(self, ask: Claim) -> Claimed | InLine:
        """A command arrives. Raises Refused for an id of another command and where it was refused, Temporary for a full line."""
        request = ask.request
        return await self._take(
            request.ref, seen_key(request), fingerprint(request), codec.dump_command(request), request
        ) or InLine(0)

    async def next(self, ask: Next) -> Claimed | None:
        """The turn of the next command in line; None where there is none, or another one is at work."""
        taken = await self._take(ask.ref, f"{TAG}:seen:none", "", "", None)
        return taken if isinstance(taken, Claimed) else None

    async def _take(
        self, ref: ModelRef, seen: str, finger: str, command: str, request: Request | None
    ) -> Claimed | InLine | None:
        token = uuid.uuid4().hex
        ordered = "1" if request and request.verb != "reload" else "0"
        times = [str(LEASE_SECONDS * 1000), str(REMEMBERED_SECONDS)]
        try:
            with _translated():
                reply = await self._claim(
                    keys=[seen, model_key(ref), line_key(ref), LINES],
                    args=[token, *times, finger, ref.subject, command, ordered, str(LINE_LENGTH)],
                )
        except asyncio.CancelledError:
            # The turn may be given although nobody hears of it.
            with suppress(StoreUnavailable):
                await asyncio.shield(asyncio.create_task(self._give_back(ref, seen, token, stays=True)))
            raise
        status, now, *rest = cast("list[Any]", reply)
        match status:
            case "done":
                return Claimed(moment_of(now), token, None, 0, moment_of(now), answer=codec.load_answer(rest[0]))
            case "refused":
                raise codec.load_refusal(rest[0])
            case "line":
                return InLine(int(rest[0]))
            case "none":
                return None
            case "full":
                raise Temporary(
                    Code.BUSY, f"{LINE_LENGTH} commands wait for {ref} already", "Ask again in a moment.", retry_after=2
                )
            case "reused":
                refusal = Refused(
                    Code.IDEMPOTENCY_KEY_REUSED,
                    f"the id {request.id if request else ''!r} was used for another command",
                    "Use a new id for a new command.",
                )
                refusal.status = 422
                raise refusal
        first, revision, doc, plan, sequence, redelivered, place, waiting = rest
        other = codec.load_command(waiting, place) if waiting else None
        if waiting and other is None:
            logger().error("a command that can't be read was taken out of its line", action="line", model=ref.subject)
            UNREADABLE.inc()
            await self._give_back(ref, place, token, stays=False)
            return await self._take(ref, seen, finger, command, request)
        return Claimed(
            now=moment_of(now),
            token=token,
            record=codec.load_record(doc),
            revision=int(revision),
            first_seen=moment_of(first),
            sequence=int(sequence),
            redelivered=bool(redelivered),
            planned=codec.load_intent(plan),
            request=other,
        )

    async def lines(self, limit: int) -> list[ModelRef]:
        """Models with commands in line, the longest waiting first."""
        with _translated():
            subjects: list[str] = await self._redis.zrange(LINES, 0, limit - 1)
        return [ModelRef.from_subject(subject) for subject in subjects]

    async def load(self, ref: ModelRef) -> Loaded:
        return (await self.load_many([ref]))[0]

    async def load_many(self, refs: Sequence[ModelRef]) -> list[Loaded]:
        with _translated():
            pipeline = self._redis.pipeline(transaction=False)
            for ref in refs:
                pipeline.hmget(model_key(ref), ["rev", "doc", "plan"])
            found = await pipeline.execute()
        return [
            Loaded(codec.load_record(doc), int(revision or 0), codec.load_intent(plan)) for revision, doc, plan in found
        ]

    async def plan(self, ask: Plan) -> None:
        """Raises Temporary where the model's turn is not held any more: what was decided may be out of date."""
        with _translated():
            reply = await self._plan(keys=[model_key(ask.request.ref)], args=[ask.token, ask.intent.model_dump_json()])
        if reply == "lost":
            raise Temporary(
                Code.BUSY,
                f"Redis lost its data while {ask.request.ref} was looked at, and another command may be at work",
                "Ask again in a moment.",
                retry_after=1,
            )

    async def release(self, ask: Release) -> None:
        await self._give_back(ask.request.ref, seen_key(ask.request), ask.token, stays=ask.stays)

    async def _give_back(self, ref: ModelRef, seen: str, token: str, *, stays: bool) -> None:
        with _translated():
            await self._release(
                keys=[seen, model_key(ref), line_key(ref), LINES], args=[token, "1" if stays else "0", ref.subject]
            )

    async def commit(self, ask: Commit) -> Committed:
        keys, args = commit_words(ask)
        with _translated():
            reply = await self._commit(keys=keys, args=args)
        return _committed(reply)

    async def commit_many(self, asks: Sequence[Commit]) -> list[Committed]:
        """Each by itself as in `commit`, sent in one go. Where it fails, some may be done: hints may be taken again."""
        with _translated():
            pipeline = self._redis.pipeline(transaction=False)
            for ask in asks:
                keys, args = commit_words(ask)
                await self._commit(keys=keys, args=args, client=pipeline)
            replies = await pipeline.execute()
        return [_committed(reply) for reply in replies]

    async def due(self, until: datetime, limit: int) -> list[ModelRef]:
        """Models that want a look, the longest due first."""
        with _translated():
            subjects: list[str] = await self._redis.zrangebyscore(
                f"{TAG}:due", "-inf", milliseconds(until), start=0, num=limit
            )
        return [ModelRef.from_subject(subject) for subject in subjects]

    async def concerned(self, location: Location, namespace: str | None) -> list[ModelRef]:
        """Models that load from this place, from a folder that it is in, or from something in it; one round trip.

        `namespace` is that of a claim; elsewhere only models of it are meant, None: all.
        """
        ancestors = [place_of(place, namespace or "") for place in location.ancestors]
        ranges = [(f"[{place}\t", f"({place}\n") for place in ancestors]
        ranges.append((f"[{ancestors[-1]}/", f"({ancestors[-1]}0"))  # 0 is the character behind the slash
        with _translated():
            pipeline = self._redis.pipeline(transaction=False)
            for first, last in ranges:
                pipeline.zrangebylex(f"{TAG}:artifacts", first, last)
            found = await pipeline.execute()
        subjects = sorted({entry.rpartition("\t")[2] for entries in found for entry in entries})
        refs = [ModelRef.from_subject(subject) for subject in subjects]
        return [ref for ref in refs if namespace in {None, ref.namespace}]

    async def publish(self, events: Sequence[Published]) -> None:
        """Into the outbox, without a step: for what concerns no record."""
        with _translated():
            pipeline = self._redis.pipeline(transaction=False)
            for event in events:
                pipeline.xadd(f"{TAG}:outbox", {"d": codec.dump_fact(event)})
            await pipeline.execute()

    async def waiting(self, limit: int) -> list[Waiting]:
        with _translated():
            entries = await self._redis.xrange(f"{TAG}:outbox", count=limit)
        return [Waiting(entry, codec.load_fact(fields["d"])) for entry, fields in entries]

    async def published(self, entries: Sequence[str]) -> None:
        if entries:
            with _translated():
                await self._redis.xdel(f"{TAG}:outbox", *entries)

    async def subjects(self, after: str, limit: int) -> list[str]:
        """Known models in order of their subjects, from behind `after` ("" for the first page)."""
        start = f"({after}" if after else "-"
        with _translated():
            found = await self._redis.zrangebylex(f"{TAG}:models", start, "+", start=0, num=limit)
        return list(found)

    async def count(self) -> int:
        with _translated():
            return int(await self._redis.zcard(f"{TAG}:models"))

    async def records(self, refs: Sequence[ModelRef]) -> list[Record | None]:
        with _translated():
            pipeline = self._redis.pipeline(transaction=False)
            for ref in refs:
                pipeline.hget(model_key(ref), "doc")
            docs = await pipeline.execute()
        return [codec.load_record(doc) for doc in docs]

    async def history(self, ref: ModelRef, limit: int) -> list[AuditEntry]:
        """The newest entries of one model, newest first; looked for in the last 10,000 entries of all."""
        with _translated():
            entries = await self._redis.xrevrange(f"{TAG}:audit", count=10_000)
        found = (codec.load_audit(fields["d"]) for _, fields in entries)
        return [entry for entry in found if entry.ref == ref][:limit]

    async def write_audit(self, entry: AuditEntry, letter: Letter | None = None) -> None:
        """For what concerns no record: refused and poisoned events, and dead letters with the event itself."""
        with _translated():
            if letter:
                place = await self._redis.xadd(
                    f"{TAG}:letters", {"d": codec.dump_letter(letter)}, maxlen=LETTERS_LENGTH, approximate=True
                )
                entry = replace(entry, letter=str(place))
            words = {"d": codec.dump_audit(entry)}
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.xadd(f"{TAG}:audit", words, maxlen=AUDIT_LENGTH, approximate=True)
            if entry.ref:
                pipeline.xadd(f"{TAG}:changes", words, maxlen=CHANGES_LENGTH, approximate=True)
            await pipeline.execute()

    async def write_refusal(self, entry: AuditEntry) -> None:
        """Of an event that was refused before anything was done."""
        await self.write_audit(entry)

    async def entry(self, place: str) -> AuditEntry | None:
        """The entry of the history at this place, while it is kept."""
        with _translated():
            found = await self._redis.xrange(f"{TAG}:audit", min=place, max=place)
        return codec.load_audit(found[0][1]["d"]) if found else None

    async def letters(self, places: Sequence[str]) -> dict[str, Letter]:
        """Those that are still kept, by their places."""
        with _translated():
            pipeline = self._redis.pipeline(transaction=False)
            for place in places:
                pipeline.xrange(f"{TAG}:letters", min=place, max=place)
            found = await pipeline.execute() if places else []
        return {entry: codec.load_letter(fields["d"]) for entries in found for entry, fields in entries}

    async def last_change(self) -> str:
        """Where those who follow the changes begin."""
        with _translated():
            newest = await self._redis.xrevrange(f"{TAG}:changes", count=1)
        return str(newest[0][0]) if newest else "0-0"

    async def has_change(self, entry: str) -> bool:
        """Whether the changes still reach back to this entry; "0-0" is where they begin."""
        if entry == "0-0":
            return True
        with _translated():
            return bool(await self._redis.xrange(f"{TAG}:changes", min=entry, max=entry, count=1))

    async def newest(self, before: str, limit: int) -> list[Change]:
        """The history backwards from before `before` ("" for the newest)."""
        with _translated():
            entries = await self._redis.xrevrange(f"{TAG}:audit", max=f"({before}" if before else "+", count=limit)
        return [Change(entry, codec.load_audit(fields["d"])) for entry, fields in entries]

    async def changes(self, after: str, wait_seconds: float) -> AsyncIterator[Moved]:
        """What has changed since `after`, as it is written; ends after `wait_seconds` without news.

        Reads without blocking Redis' connection pool: one blocking XREAD per caller, bounded by the socket timeout.
        """
        with _translated():
            reply = await self._redis.xread(
                {f"{TAG}:changes": after}, count=500, block=max(1, round(wait_seconds * 1000))
            )
        for _, entries in reply or []:
            for entry, fields in entries:
                audit = codec.load_audit(fields["d"]) if "d" in fields else None
                ref = audit.ref if audit else ModelRef.from_subject(fields["s"])
                if ref:
                    yield Moved(entry, ref, audit)

    async def synced(self) -> str:
        """Names the data, once every model was looked at since Redis last began empty; "" before: lists would be short."""
        with _translated():
            return str(await self._redis.get(f"{TAG}:synced") or "")

    async def take_pass(self) -> Pass | None:
        """The turn of looking at every model; None while another tick has it."""
        token = uuid.uuid4().hex
        reply = await self._pass(token, "", "")
        return Pass(token, *reply) if reply else None

    async def save_pass(self, turn: Pass, doc: str, *, completed: bool = False, ends: bool = False) -> Pass | None:
        """None, and nothing is saved, where Redis lost data since `turn` or another tick took over: begin again."""
        reply = await self._pass(turn.token, turn.saved, doc, completed, ends)
        return Pass(turn.token, *reply) if reply else None

    async def _pass(self, token: str, saved: str, doc: str, completed: bool = False, ends: bool = False) -> list[str]:
        flags = ["1" if flag else "0" for flag in (completed, ends)]
        with _translated():
            reply = await self._resync(
                keys=[f"{TAG}:resync", f"{TAG}:synced"],
                args=[token, RESYNC_LEASE_SECONDS * 1000, saved, doc, *flags],
            )
        return [str(part) for part in reply]


def _committed(reply: str) -> Committed:
    if reply == "lost":
        raise StoreUnavailable("the claim on this command is gone; Redis lost it, or another delivery took it over")
    return Committed(conflict=reply == "conflict", stale=reply == "stale")
