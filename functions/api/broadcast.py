"""One reader of the changes per process, however many people watch."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from events.model import ModelRef
from events.status import ModelStatus
from functions.adapters.store import Moved, Store
from functions.lifecycle.effects import Action, AuditEntry
from functions.lifecycle.errors import StoreUnavailable
from functions.logs import logger

READ_SECONDS = 1.0
QUEUE_LENGTH = 1000


@dataclass(frozen=True)
class News:
    """A change and the model as it is now; `status` None where the model is gone. `ref` None: start over."""

    entry: str
    ref: ModelRef | None
    status: ModelStatus | None = None
    change: dict[str, Any] | None = None

    @cached_property
    def data(self) -> str:
        if self.ref is None:
            return json.dumps({"message": "History was lost in between. Load the list again."})
        if self.status is None:
            named = {"namespace": self.ref.namespace, "name": self.ref.name, "kind": self.ref.kind.value}
            return json.dumps({**named, "change": self.change})
        return json.dumps({**self.status.model_dump(mode="json"), "change": self.change})

    @property
    def event(self) -> str:
        if self.ref is None:
            return "reset"
        return "model" if self.status else "deleted"


class Broadcast:
    """Reads while there are listeners. A listener that falls behind by 1,000 changes starts over."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[asyncio.Queue[News]] = set()
        self._wanted = asyncio.Event()

    def join(self) -> "asyncio.Queue[News]":
        listener: asyncio.Queue[News] = asyncio.Queue(QUEUE_LENGTH)
        self._listeners.add(listener)
        self._wanted.set()
        return listener

    def leave(self, listener: "asyncio.Queue[News]") -> None:
        self._listeners.discard(listener)

    async def run(self) -> None:
        """Until cancelled. Redis may go and come back; if its history is lost, all clients are reset."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            position: str | None = None
            while self._listeners:
                try:
                    position = await self._read(position)
                except StoreUnavailable:
                    await asyncio.sleep(READ_SECONDS)
                except Exception:  # noqa: BLE001 - whatever it is, the streams must go on
                    logger().exception("change stream unreadable; resetting all clients", action="history-unreadable")
                    await asyncio.sleep(READ_SECONDS)
                    position = "unreadable"

    async def _read(self, position: str | None) -> str:
        if position is None:
            position = await self._store.last_change()
        elif position == "unreadable" or not await self._store.has_change(position):
            position = await self._store.last_change()
            self._tell(News(position, None))
        for news in await self.news([change async for change in self._store.changes(position, READ_SECONDS)]):
            position = news.entry
            self._tell(news)
        return position

    async def news(self, changes: list[Moved]) -> list[News]:
        """The changes, each with its model's present status."""
        refs = list(dict.fromkeys(change.ref for change in changes))
        records = dict(zip(refs, await self._store.records(refs), strict=True)) if refs else {}
        found: list[News] = []
        for change in changes:
            record = records[change.ref]
            status = record.status() if record and record.state else None
            found.append(News(change.entry, change.ref, status, _described(change, status)))
        return found

    def _tell(self, news: News) -> None:
        for listener in self._listeners:
            try:
                listener.put_nowait(news)
            except asyncio.QueueFull:
                _empty(listener)
                listener.put_nowait(News(news.entry, None))


def _described(change: Moved, status: ModelStatus | None) -> dict[str, Any]:
    """For a change without an entry in the history: an observation found something changed."""
    audit = change.audit or AuditEntry(
        time=status.observed_at if status else datetime.now(UTC),
        ref=change.ref,
        action=Action.OBSERVED,
        actor="modelswitch",
        message=status.message if status else None,
    )
    return {
        "action": audit.action,
        "actor": audit.actor,
        "claimed_actor": audit.claimed_actor,
        "reason": audit.reason,
        "code": audit.code,
        "message": audit.message,
        "changed": audit.changed,
        "time": audit.time.isoformat(),
    }


def _empty(listener: "asyncio.Queue[News]") -> None:
    with suppress(asyncio.QueueEmpty):
        while True:
            listener.get_nowait()
