"""What happened, and apart from it what was refused: a stream of each per namespace, and an index per model.

Namespaces that never had a model share a stream. `audit` is the one stream of all that versions before these had; it is
read as long as it is there. A place names an entry across streams: `ID.KIND.NAMESPACE`, of the older stream `ID` alone.
"""

import re
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from events.model import ModelRef
from functions.adapters import serialization
from functions.adapters.connection import Script, known_at_last, translated
from functions.adapters.keys import TAG, entry_words, index_key
from functions.adapters.stored import Unreadable, told_unreadable
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import Action, AuditEntry

PLACE = re.compile(r"(?P<id>[0-9]{1,19}-[0-9]{1,19})(?:\.(?P<kind>[hr])\.(?P<namespace>[a-z0-9-]{0,63}))?")
_OLDER = f"{TAG}:audit"
_INDEXED = f"{TAG}:audit-indexed"
_NAMES = {"h": "history", "r": "refusals"}
_OLDER_KEPT_SECONDS = 30 * 24 * 3600
_MOST_READ = 500
_OTHERS = 10_000  # of the older stream, where all namespaces' entries are in one


@dataclass(frozen=True)
class Change:
    """One entry; `entry` is its place, where to resume."""

    entry: str
    audit: AuditEntry


@dataclass(frozen=True, order=True)
class _Position:
    """The order of entries across streams: newest last. `kind` "" for the older stream."""

    time: int
    number: int
    kind: str
    namespace: str

    @classmethod
    def of(cls, place: str) -> "_Position | None":
        match = PLACE.fullmatch(place)
        if match is None:
            return None
        time, number = match["id"].split("-")
        return cls(int(time), int(number), match["kind"] or "", match["namespace"] or "")

    @property
    def place(self) -> str:
        identity = f"{self.time}-{self.number}"
        return f"{identity}.{self.kind}.{self.namespace}" if self.kind else identity


@dataclass
class _Stream:
    """One stream, read backwards: `entries` that were read and not yet given out, the next one last."""

    kind: str
    namespace: str
    entries: list[tuple[_Position, dict[str, str]]]
    next: str
    more: bool = True
    page: int = 8

    @property
    def key(self) -> str:
        return stream_key(self.kind, self.namespace) if self.kind else _OLDER


def stream_key(kind: str, namespace: str) -> str:
    key = f"{TAG}:{_NAMES[kind]}"
    return f"{key}:{namespace}" if namespace else key


class History:
    """Raises StoreUnavailable where Redis does not answer, and nothing else: an entry that can't be read is shown as
    one.
    """

    def __init__(self, client: Any, commit: Script) -> None:
        self._redis = client
        self._commit = commit
        self._read = Script(client, "history")

    async def write(self, entry: AuditEntry, letter: DeadLetter | None = None) -> None:
        """For what comes of no step: refused and poisoned events, and dead letters with the event itself."""
        keys, args = entry_words(entry, letter)
        with translated():
            await self._commit(keys=keys, args=args)

    async def namespaces(self) -> list[str]:
        """Those with streams of their own."""
        with translated():
            return sorted(await self._redis.zrange(f"{TAG}:namespaces", 0, -1))

    async def of_models(self, refs: Sequence[ModelRef], limit: int) -> dict[ModelRef, list[AuditEntry]]:
        """Of each its newest entries, newest first; only its own are read."""

        async def send() -> list[Any]:
            pipeline = self._redis.pipeline(transaction=False)
            for ref in refs:
                await self._read.add_to(pipeline, _keys(ref), [limit])
            return list(await pipeline.execute())

        with translated():
            found = await known_at_last(send) if refs else []
        return {ref: _sorted(ref, here)[:limit] for ref, here in zip(refs, found, strict=True)}

    async def newest(
        self, before: str, limit: int, *, namespaces: Collection[str] | None = None, kinds: str = "hr"
    ) -> list[Change]:
        """Backwards from before the place `before` ("" for the newest), merged from all streams.

        `namespaces` None: all, and what concerns none. `kinds`: "h" what happened, "r" what was refused.
        """
        found: list[Change] = []
        async for change in self.backwards(before, namespaces=namespaces, kinds=kinds):
            found.append(change)
            if len(found) == limit:
                break
        return found

    async def backwards(
        self, before: str, *, namespaces: Collection[str] | None = None, kinds: str = "hr"
    ) -> AsyncGenerator[Change, None]:
        """As `newest`, one after the other; read in pages as they are wanted."""
        streams = await self._streams(namespaces, kinds, _Position.of(before))
        others = 0
        while others < _OTHERS:
            await self._fill([one for one in streams if one.more and not one.entries])
            full = [one for one in streams if one.entries]
            if not full:
                return
            position, fields = max(full, key=lambda one: one.entries[-1][0]).entries.pop()
            audit = _read(position, fields)
            if position.namespace or _is_wanted(audit, namespaces, kinds):
                yield Change(position.place, audit)
            else:
                others += 1

    async def entry(self, place: str) -> AuditEntry | None:
        """The entry at this place, while it is kept."""
        position = _Position.of(place)
        if position is None:
            return None
        identity = f"{position.time}-{position.number}"
        with translated():
            found = await self._redis.xrange(
                _Stream(position.kind, position.namespace, [], "").key, min=identity, max=identity
            )
        return _read(position, found[0][1]) if found else None

    async def letters(self, places: Sequence[str]) -> dict[str, DeadLetter]:
        """Those that are still kept and can be read, by their places: `ID.NAMESPACE`."""
        with translated():
            pipeline = self._redis.pipeline(transaction=False)
            for place in places:
                identity, _, namespace = place.partition(".")
                pipeline.xrange(
                    f"{TAG}:letters:{namespace}" if namespace else f"{TAG}:letters", min=identity, max=identity
                )
            found = await pipeline.execute() if places else []
        letters: dict[str, DeadLetter] = {}
        for place, entries in zip(places, found, strict=True):
            for _, fields in entries:
                try:
                    letters[place] = serialization.load_letter(fields.get("d", ""))
                except Unreadable as error:
                    told_unreadable("letter", error)
        return letters

    async def index_older(self, limit: int) -> int:
        """Enters what versions before these wrote into the models' indexes, page by page; how many entries this page
        had.

        May be done twice for the same entry. The older stream itself goes 30 days after its first entry was indexed.
        """
        with translated():
            after = await self._redis.get(_INDEXED)
            entries = await self._redis.xrange(_OLDER, min=f"({after}" if after else "-", count=limit)
            if not entries:
                return 0
            pipeline = self._redis.pipeline(transaction=True)
            for position, fields in _with_positions("", "", entries):
                audit = _read(position, fields)
                if audit.ref:
                    key = index_key(audit.ref.subject, refused=bool(audit.code))
                    pipeline.zadd(key, {f"{position.place}.a": 0})
                    pipeline.zremrangebyrank(key, 0, -1001)
            pipeline.set(_INDEXED, entries[-1][0], ex=2 * _OLDER_KEPT_SECONDS)
            pipeline.expire(_OLDER, _OLDER_KEPT_SECONDS, nx=True)
            await pipeline.execute()
        return len(entries)

    async def _streams(self, namespaces: Collection[str] | None, kinds: str, before: _Position | None) -> list[_Stream]:
        places = ["", *(await self.namespaces() if namespaces is None else sorted(set(namespaces)))]
        made = [_Stream(kind, namespace, [], _begin(kind, namespace, before)) for namespace in places for kind in kinds]
        return [*made, _Stream("", "", [], _begin("", "", before))]

    async def _fill(self, streams: list[_Stream]) -> None:
        """Each time twice as many: most streams have only a few of the newest entries."""
        if not streams:
            return
        with translated():
            pipeline = self._redis.pipeline(transaction=False)
            for stream in streams:
                pipeline.xrevrange(stream.key, max=stream.next, count=stream.page)
            pages = await pipeline.execute()
        for stream, page in zip(streams, pages, strict=True):
            stream.entries = _with_positions(stream.kind, stream.namespace, page)[::-1]
            stream.more = len(page) == stream.page
            stream.page = min(2 * stream.page, _MOST_READ)
            stream.next = f"({page[-1][0]}" if page else "-"


def _keys(ref: ModelRef) -> list[str]:
    indexes = [index_key(ref.subject), index_key(ref.subject, refused=True)]
    return [*indexes, *(stream_key(kind, place) for place in (ref.namespace, "") for kind in "hr"), _OLDER]


def _sorted(ref: ModelRef, found: list[Any]) -> list[AuditEntry]:
    positions = [(_position(member, kind, ref.namespace), fields) for kind, member, fields in found]
    newest = sorted(positions, key=lambda one: one[0], reverse=True)
    return [_read(position, dict(zip(fields[::2], fields[1::2], strict=True))) for position, fields in newest]


def _begin(kind: str, namespace: str, before: _Position | None) -> str:
    """Of two entries with the same id that of the later stream counts as newer."""
    if before is None:
        return "+"
    identity = f"{before.time}-{before.number}"
    return identity if (kind, namespace) < (before.kind, before.namespace) else f"({identity}"


def _is_wanted(audit: AuditEntry, namespaces: Collection[str] | None, kinds: str) -> bool:
    here = namespaces is None or bool(audit.ref and audit.ref.namespace in namespaces)
    return here and ("r" if audit.code else "h") in kinds


def _with_positions(kind: str, namespace: str, page: list[Any]) -> list[tuple[_Position, dict[str, str]]]:
    found = []
    for entry, fields in page:
        time, number = entry.split("-")
        found.append((_Position(int(time), int(number), kind, namespace), fields))
    return found


def _position(member: str, kind: str, namespace: str) -> _Position:
    """Of an index' member: an id in the namespace's own stream, with a point in the shared one, with `.a` in the older
    one.
    """
    identity, point, older = member.partition(".")
    time, _, number = identity.partition("-")
    return _Position(int(time), int(number), "" if older else kind, "" if point else namespace)


def _read(position: _Position, fields: dict[str, str]) -> AuditEntry:
    """Never raises: one entry that another version or another client wrote must not hide the others."""
    try:
        audit = serialization.load_audit(fields.get("d", ""))
    except Unreadable as error:
        told_unreadable("audit", error)
        return AuditEntry(
            time=datetime.fromtimestamp(min(position.time, 10**14) / 1000, UTC),
            ref=None,
            action=Action.UNREADABLE,
            actor="unknown",
            message=f"This entry can't be read ({error}); another version may have written it.",
        )
    return replace(audit, letter=fields["l"]) if fields.get("l") else audit
