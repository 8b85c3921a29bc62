"""WATCH: a stream of JSON lines from a version on, with bookmarks, timeouts and 410 for a version that is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from functions.local.kubernetes import tables
from functions.local.kubernetes.errors import ApiError, expired
from functions.local.kubernetes.lists import as_version
from functions.local.kubernetes.query import Query
from functions.local.kubernetes.store import Change, Obj, Store, TooOld, dump

BACKLOG = 50_000
"""Lines that a slow reader may owe before its stream is cut."""
BOOKMARK_EVERY = 30.0
"""Seconds. The real API server sends one about every minute."""
DEFAULT_TIMEOUT = 3000.0
"""Seconds. The real one takes 30 to 60 minutes, by chance."""


@dataclass
class Watches:
    """The open streams over a store; `drop` ends them all, as a restarted API server would."""

    store: Store
    _open: set["_Stream"] = field(default_factory=set)

    def drop(self) -> int:
        """End every stream; answers how many there were."""
        dropped = len(self._open)
        for stream in list(self._open):
            stream.end()
        return dropped

    async def stream(self, query: Query) -> AsyncIterator[bytes]:
        """The lines of one watch. Errors that a real server sends inside the stream are sent there too."""
        try:
            first = self._beginning(query)
        except ApiError as error:
            yield dump({"type": "ERROR", "object": error.status()}) + b"\n"
            return
        stream = _Stream(query)
        self._open.add(stream)
        stop = self.store.listen(stream.notice)
        try:
            if first:
                yield b"".join(first)
            async for lines in stream.lines(self.store):
                yield lines
        finally:
            stop()
            self._open.discard(stream)

    def _beginning(self, query: Query) -> list[bytes]:
        resource = query.target.resource
        if query.version in ("", "0") or query.initial_events:
            objects = self.store.all(resource, query.target.namespace)
            lines = [_line(query, "ADDED", obj) for obj in objects if query.match(obj)]
            if query.initial_events and query.bookmarks:
                lines.append(_bookmark(query, self.store.version, last_initial=True))
            return lines
        try:
            missed = self.store.since(resource, int(query.version))
        except TooOld as error:
            raise expired(f"too old resource version: {query.version} ({error.oldest})") from error
        return [line for change in missed for line in _lines(query, change)]


class _Stream:
    """Lines waiting for one reader."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self._waiting: list[bytes] = []
        self._wake = asyncio.Event()
        self._ended = False
        self._since = int(query.version or 0)

    def notice(self, change: Change) -> None:
        if change.resource is not self.query.target.resource or change.version <= self._since:
            return
        self._waiting.extend(_lines(self.query, change))
        if self._waiting:
            self._wake.set()
        if len(self._waiting) > BACKLOG:
            self.end()

    def end(self) -> None:
        self._ended = True
        self._wake.set()

    async def lines(self, store: Store) -> AsyncIterator[bytes]:
        """Blocks of lines until the watch's time is up; a last bookmark says where to go on."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.query.timeout or DEFAULT_TIMEOUT)
        while not self._ended and (left := deadline - loop.time()) > 0:
            pause = min(left, BOOKMARK_EVERY)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                if self.query.bookmarks:
                    yield _bookmark(self.query, store.version)
                continue
            self._wake.clear()
            lines, self._waiting = self._waiting, []
            if lines:
                yield b"".join(lines)


def _lines(query: Query, change: Change) -> Iterator[bytes]:
    """What a change is to this watcher: an object that starts to match is ADDED, one that ceases to is DELETED."""
    now = change.kind != "DELETED" and query.match(change.obj)
    was = change.before is not None and query.match(change.before)
    if now:
        yield _line(query, "MODIFIED" if was else "ADDED", change.obj)
    elif was:
        yield _line(query, "DELETED", change.obj)


def _line(query: Query, kind: str, obj: Obj) -> bytes:
    if query.table:
        meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        shown = dump(tables.table(query.target.resource, [obj], meta))
    else:
        shown = as_version(query.target.resource, query.target.version, obj)
    return b'{"type":"' + kind.encode() + b'","object":' + shown + b"}\n"


def _bookmark(query: Query, version: int, *, last_initial: bool = False) -> bytes:
    resource = query.target.resource
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if last_initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    shown: Obj = {"kind": resource.kind, "apiVersion": resource.api_version(query.target.version), "metadata": meta}
    if query.table:
        shown = tables.table(resource, [], meta)
    return dump({"type": "BOOKMARK", "object": shown}) + b"\n"
