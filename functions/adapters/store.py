"""Redis: what is remembered of models and commands.

All keys share one hash tag, so that a Redis Cluster takes them as they are. Five Lua scripts write; each checks
everything before it writes anything. Redis' own clock decides about leases.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self, cast

from events.location import Location
from events.model import ModelRef
from functions.adapters import serialization
from functions.adapters.batch import Batch
from functions.adapters.connection import Script, connect, one_trip
from functions.adapters.connection import translated as _translated
from functions.adapters.figures import Figures, Memory, read_figures, read_memory
from functions.adapters.history import Change, History
from functions.adapters.keys import (
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
from functions.adapters.outbox import Outbox
from functions.adapters.stored import SCHEMA, Unreadable, told_unreadable
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import AuditEntry, Published
from functions.lifecycle.errors import Code, Refused, StoreUnavailable, Temporary
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.request import Request
from functions.logs import logger
from functions.reconcile.ports import Claimed, Commit, Committed, InLine, Loaded

LEASE_SECONDS = 15
LINE_LENGTH = 64  # commands that wait for one model; more are told to come again
REMEMBERED_SECONDS = 7 * 24 * 3600
RESYNC_LEASE_SECONDS = 10  # renewed page by page; after a tick that died another one takes over
_HISTORY = 1000
_SHOWN_VERSIONS = 10


@dataclass(frozen=True)
class Moved:
    """Something to be shown of a model has changed. `audit` None: it has no entry in the history. `entry`: where to resume."""

    entry: str
    ref: ModelRef
    audit: AuditEntry | None = None


@dataclass(frozen=True)
class Pass:
    """The lease of the pass over all models. `doc` is how far it has come; `saved` counts, so that a loss shows."""

    token: str
    saved: str
    doc: str


class Store:
    """Every method raises StoreUnavailable where Redis does not answer; nothing is then half written."""

    def __init__(self, client: Any) -> None:
        self._redis: Any = client  # redis' own types cover every protocol and decoding at once, and so none
        self._claim = Script(client, "claim")
        self._release = Script(client, "release")
        self._plan = Script(client, "plan")
        self._commit = Script(client, "commit")
        self._resync = Script(client, "resync")
        self._loads = Batch(self._load_many)
        self._commits = Batch(self._commit_many)
        self._past = History(client, self._commit)
        self.outbox = Outbox(client, self._past)

    @classmethod
    def connect(cls, url: str) -> Self:
        return cls(connect(url))

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        with _translated():
            await self._redis.ping()

    async def memory(self) -> Memory:
        return await read_memory(self._redis)

    async def figures(self) -> Figures:
        return await read_figures(self._redis, self.outbox, await self.namespaces())

    async def claim(self, request: Request) -> Claimed | InLine:
        """A command arrives.

        Raises Refused for an id of another command and where it was refused, Temporary for a full line.
        """
        return await self._take(
            request.ref, seen_key(request), fingerprint(request), serialization.dump_command(request), request
        ) or InLine(0)

    async def claim_next(self, ref: ModelRef) -> Claimed | None:
        """The lease for the next command in line; None where there is none, or another one is at work."""
        taken = await self._take(ref, f"{TAG}:seen:none", "", "", None)
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
            # Redis may have granted the lease, and its answer was not read.
            with suppress(StoreUnavailable):
                await asyncio.shield(asyncio.create_task(self._give_back(ref, seen, token, stays=True)))
            raise
        status, now, *rest = cast("list[Any]", reply)
        match status:
            case "done":
                return Claimed(
                    moment_of(now), token, None, 0, moment_of(now), answer=serialization.load_answer(rest[0])
                )
            case "refused":
                raise serialization.load_refusal(rest[0])
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
        other = serialization.load_command(waiting, place) if waiting else None
        if waiting and other is None:
            logger().error("a command that can't be read was taken out of its line", action="line", model=ref.subject)
            await self._give_back(ref, place, token, stays=False)
            return await self._take(ref, seen, finger, command, request)
        return Claimed(
            now=moment_of(now),
            token=token,
            record=serialization.load_record(doc),
            revision=int(revision),
            first_seen=moment_of(first),
            sequence=int(sequence),
            redelivered=bool(redelivered),
            planned=serialization.load_intent(plan),
            request=other,
        )

    async def lines(self, limit: int) -> list[ModelRef]:
        """Models with commands in line, the longest waiting first."""
        with _translated():
            subjects: list[str] = await self._redis.zrange(LINES, 0, limit - 1)
        return serialization.refs_of(subjects)

    async def load(self, ref: ModelRef) -> Loaded:
        """Many at once go to Redis together."""
        revision, doc, plan = await self._loads(ref)
        return Loaded(serialization.load_record(doc), int(revision or 0), serialization.load_intent(plan))

    async def _load_many(self, refs: Sequence[ModelRef]) -> list[Any]:
        async def add(pipeline: Any) -> None:
            for ref in refs:
                pipeline.hmget(model_key(ref), ["rev", "doc", "plan"])

        return await one_trip(self._redis, add)

    async def save_intent(self, token: str, request: Request, intent: Intent) -> None:
        """Raises Temporary where the model's lease is not held any more: what was decided may be out of date."""
        with _translated():
            reply = await self._plan(
                keys=[model_key(request.ref)], args=[token, serialization.dump_intent(intent), SCHEMA]
            )
        if reply == "lost":
            raise Temporary(
                Code.BUSY,
                f"Redis lost its data while {request.ref} was looked at, and another command may be at work",
                "Ask again in a moment.",
                retry_after=1,
            )

    async def release(self, token: str, request: Request, *, stays: bool = False) -> None:
        await self._give_back(request.ref, seen_key(request), token, stays=stays)

    async def _give_back(self, ref: ModelRef, seen: str, token: str, *, stays: bool) -> None:
        with _translated():
            await self._release(
                keys=[seen, model_key(ref), line_key(ref), LINES], args=[token, "1" if stays else "0", ref.subject]
            )

    async def commit(self, commit: Commit) -> Committed:
        """Those of many notifications at once go to Redis together; each is written whole or not at all."""
        keys, args = commit_words(commit)
        if commit.token is None:
            return _committed(await self._commits((keys, args)))
        with _translated():
            return _committed(await self._commit(keys=keys, args=args))

    async def _commit_many(self, words: Sequence[tuple[list[str], list[str]]]) -> list[Any]:
        async def add(pipeline: Any) -> None:
            for keys, args in words:
                await self._commit.add_to(pipeline, keys, args)

        return await one_trip(self._redis, add)

    async def due(self, until: datetime, limit: int, start: int = 0) -> list[ModelRef]:
        """Models that want a look, the longest due first, without the first `start` of them."""
        with _translated():
            subjects: list[str] = await self._redis.zrangebyscore(
                f"{TAG}:due", "-inf", milliseconds(until), start=start, num=limit
            )
        return serialization.refs_of(subjects)

    async def make_due(self, refs: Sequence[ModelRef], at: datetime) -> None:
        """A look at each is due then, where none is due earlier."""
        if refs:
            with _translated():
                await self._redis.zadd(f"{TAG}:due", {ref.subject: milliseconds(at) for ref in refs}, lt=True)

    async def postpone(self, ref: ModelRef, until: datetime) -> None:
        """A look that is due is due only then."""
        with _translated():
            await self._redis.zadd(f"{TAG}:due", {ref.subject: milliseconds(until)}, xx=True)

    async def concerned(self, location: Location, namespace: str | None) -> list[ModelRef]:
        """Models that load from this place, from a folder that it is in, or from something in it; one round trip.

        `namespace` is that of a claim; elsewhere only models of it are meant, None: all.
        """
        places = [place_of(place, namespace or "") for place in (*location.ancestors, *location.also)]
        within = place_of(location, namespace or "")
        ranges = [(f"[{place}\t", f"({place}\n") for place in places]
        ranges.append((f"[{within}/", f"({within}0"))  # 0 is the character behind the slash
        subjects = sorted({subject for _, subject in await self._indexed(ranges)})
        return [ref for ref in serialization.refs_of(subjects) if namespace in {None, ref.namespace}]

    async def other_versions(self, location: Location, namespace: str | None) -> list[tuple[str, ModelRef]]:
        """Models that load another tag, digest or revision of this image or repository, and which; the first few.

        `namespace`: as in `concerned`.
        """
        if not location.has_versions:
            return []
        place = place_of(location.unversioned, "")
        ranges = [(f"[{place}\t", f"({place}\n"), (f"[{place}:", f"({place};"), (f"[{place}@", f"({place}A")]
        found = [
            (place.strip(), ref)
            for place, subject in await self._indexed(ranges, _SHOWN_VERSIONS)
            for ref in serialization.refs_of([subject])
        ]
        return [(uri, ref) for uri, ref in found if namespace in {None, ref.namespace}]

    async def _indexed(self, ranges: Sequence[tuple[str, str]], limit: int = -1) -> list[tuple[str, str]]:
        """Places and the subjects of the models that load from them; of each range at most `limit`."""
        with _translated():
            pipeline = self._redis.pipeline(transaction=False)
            for first, last in ranges:
                pipeline.zrangebylex(f"{TAG}:artifacts", first, last, start=0, num=limit)
            found = await pipeline.execute()
        split = (entry.rpartition("\t") for entries in found for entry in entries)
        return [(place, subject) for place, _, subject in split]

    async def publish(self, events: Sequence[Published]) -> None:
        """Into the outbox, without a step: for what concerns no record."""
        await asyncio.gather(*(self.commit(Commit(event.ref, 0, None, events=(event,))) for event in events))

    async def subjects(self, after: str, limit: int) -> list[str]:
        """Known models in order of their subjects, from behind `after` ("" for the first page)."""
        known: list[str] = []
        while len(known) < limit:
            start = f"({after}" if after else "-"
            with _translated():
                found = await self._redis.zrangebylex(f"{TAG}:models", start, "+", start=0, num=limit)
            known += [ref.subject for ref in serialization.refs_of(found)]
            if len(found) < limit:
                break
            after = found[-1]
        return known[:limit]

    async def count(self) -> int:
        with _translated():
            return int(await self._redis.zcard(f"{TAG}:models"))

    async def records(self, refs: Sequence[ModelRef]) -> list[Record | None]:
        """None for one that is not there, or can't be read."""

        async def add(pipeline: Any) -> None:
            for ref in refs:
                pipeline.hget(model_key(ref), "doc")

        docs = await one_trip(self._redis, add)
        return [None if isinstance(doc, Exception) else serialization.load_record(doc) for doc in docs]

    async def histories(self, refs: Sequence[ModelRef], limit: int = _HISTORY) -> dict[ModelRef, list[AuditEntry]]:
        """Of each model its newest entries, newest first; only its own are read."""
        return await self._past.of_models(refs, limit)

    async def newest(
        self, before: str, limit: int, *, namespaces: Collection[str] | None = None, kinds: str = "hr"
    ) -> list[Change]:
        """What happened ("h") and what was refused ("r"), backwards from before the place `before` ("" for the newest).

        `namespaces` None: all, and what concerns none.
        """
        return await self._past.newest(before, limit, namespaces=namespaces, kinds=kinds)

    def backwards(
        self, before: str, *, namespaces: Collection[str] | None = None, kinds: str = "hr"
    ) -> AsyncGenerator[Change, None]:
        """As `newest`, one after the other, read in pages as they are wanted."""
        return self._past.backwards(before, namespaces=namespaces, kinds=kinds)

    async def namespaces(self) -> list[str]:
        """Those that have a history."""
        return await self._past.namespaces()

    async def write_audit(self, entry: AuditEntry, letter: DeadLetter | None = None) -> None:
        """For what comes of no step: refused and poisoned events, and dead letters with the event itself."""
        await self._past.write(entry, letter)

    async def write_refusal(self, entry: AuditEntry) -> None:
        """Into the refusals of its namespace, or of the installation where that has no models; no other key is made."""
        await self._past.write(entry if entry.code else replace(entry, code="Refused"))

    async def entry(self, place: str) -> AuditEntry | None:
        """The entry of the history at this place, while it is kept."""
        return await self._past.entry(place)

    async def letters(self, places: Sequence[str]) -> dict[str, DeadLetter]:
        """Those that are still kept, by their places."""
        return await self._past.letters(places)

    async def index_older(self, limit: int = 1000) -> int:
        """Of the history that the version before has written, some more into the models' indexes; 0: all is there."""
        return await self._past.index_older(limit)

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

    async def changes(self, after: str, wait_seconds: float) -> AsyncIterator[Moved]:
        """What has changed since `after`, as it is written; ends after `wait_seconds` without news.

        Reads without blocking Redis' connection pool: one blocking XREAD per caller, bounded by the socket timeout.
        What can't be read is passed over.
        """
        found = 0
        while not found:
            with _translated():
                reply = await self._redis.xread(
                    {f"{TAG}:changes": after}, count=500, block=max(1, round(wait_seconds * 1000))
                )
            entries = [one for _, page in reply or [] for one in page]
            if not entries:
                return
            for entry, fields in entries:
                after = entry
                if moved := _moved(entry, fields):
                    found += 1
                    yield moved

    async def synced(self) -> str:
        """Names the data, once every model was looked at since Redis last began empty; "" before: lists would be short."""
        with _translated():
            return str(await self._redis.get(f"{TAG}:synced") or "")

    async def take_pass(self) -> Pass | None:
        """The lease of the pass over all models; None while another tick has it."""
        token = uuid.uuid4().hex
        reply = await self._pass(token, "", "")
        return Pass(token, *reply) if reply else None

    async def save_pass(self, held: Pass, doc: str, *, completed: bool = False, ends: bool = False) -> Pass | None:
        """None, and nothing is saved, where Redis lost data since `held` or another tick took over: begin again."""
        reply = await self._pass(held.token, held.saved, doc, completed, ends)
        return Pass(held.token, *reply) if reply else None

    async def _pass(self, token: str, saved: str, doc: str, completed: bool = False, ends: bool = False) -> list[str]:
        flags = ["1" if flag else "0" for flag in (completed, ends)]
        with _translated():
            reply = await self._resync(
                keys=[f"{TAG}:resync", f"{TAG}:synced"],
                args=[token, RESYNC_LEASE_SECONDS * 1000, saved, doc, *flags],
            )
        return [str(part) for part in reply]


def _moved(entry: str, fields: dict[str, str]) -> Moved | None:
    """`d`: the entry of the history, as versions before wrote it; `s` and `a` are the model and,
    beside it, the entry.
    """
    text = fields.get("a") or fields.get("d")
    audit = None
    if text:
        try:
            audit = serialization.load_audit(text)
        except Unreadable as error:
            told_unreadable("change", error)
    refs = serialization.refs_of([fields["s"]]) if "s" in fields else []
    ref = refs[0] if refs else audit.ref if audit else None
    return Moved(entry, ref, audit) if ref else None


def _committed(reply: str) -> Committed:
    if reply == "lost":
        raise StoreUnavailable("the claim on this command is gone; Redis lost it, or another delivery took it over")
    return Committed(conflict=reply == "conflict", stale=reply == "stale", last=reply == "last")
