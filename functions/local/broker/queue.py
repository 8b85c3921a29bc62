"""What was accepted and not yet delivered, in one SQLite file. A row that is committed survives kill -9.

WAL with synchronous=NORMAL: the process may die at any point and loses nothing; a power cut may lose the last moments,
which a laptop's queue can live with.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from functions.local.broker.message import Event

Stage = Literal["subscriber", "dead-letter"]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, broker TEXT NOT NULL, attributes TEXT NOT NULL, content_type TEXT, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event INTEGER NOT NULL REFERENCES events, trigger_name TEXT NOT NULL,
    stage TEXT NOT NULL DEFAULT 'subscriber', failed INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL,
    error TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event);
"""


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one Trigger. `failed`: attempts so far in this stage; `due`: seconds since the epoch.

    `key` is the event's partitionkey: what an ordered Trigger delivers one by one.
    """

    id: int
    event: int
    broker: str
    trigger: str
    stage: Stage
    failed: int
    due: float
    key: str | None


class Queue:
    """Every method commits before it returns. One process at a time: a second one raises sqlite3.OperationalError."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)

    def close(self) -> None:
        self._db.close()

    def put(self, broker: str, event: Event, triggers: Sequence[str], now: float, answers: int = 0) -> list[Delivery]:
        """Keeps an event for its Triggers; `answers` names the delivery that it replies to, which is then done."""
        with self._transaction():
            if answers:
                self._finish(answers)
            if not triggers:
                return []
            row = (broker, json.dumps(dict(event.attributes)), event.content_type, event.data)
            inserted = self._db.execute(
                "INSERT INTO events (broker, attributes, content_type, data) VALUES (?, ?, ?, ?)", row
            ).lastrowid
            assert inserted is not None
            key = event.attributes.get("partitionkey")
            return [self._add(inserted, broker, trigger, now, key) for trigger in triggers]

    def waiting(self) -> list[Delivery]:
        """Everything undelivered, oldest first."""
        rows = self._db.execute(
            "SELECT d.id, d.event, e.broker, d.trigger_name, d.stage, d.failed, d.due,"
            " json_extract(e.attributes, '$.partitionkey')"
            " FROM deliveries d JOIN events e ON e.id = d.event ORDER BY d.id"
        )
        return [Delivery(*row) for row in rows]

    def event(self, delivery: Delivery) -> Event:
        """The event as it is to be sent now: at the dead-letter sink it carries what went wrong."""
        attributes, content_type, data, error = self._db.execute(
            "SELECT e.attributes, e.content_type, e.data, d.error FROM deliveries d"
            " JOIN events e ON e.id = d.event WHERE d.id = ?",
            (delivery.id,),
        ).fetchone()
        return Event({**json.loads(attributes), **json.loads(error)}, content_type, data)

    def done(self, delivery: Delivery) -> None:
        with self._transaction():
            self._finish(delivery.id)

    def again(self, delivery: Delivery, due: float) -> Delivery:
        later = replace(delivery, failed=delivery.failed + 1, due=due)
        self._db.execute("UPDATE deliveries SET failed = ?, due = ? WHERE id = ?", (later.failed, due, later.id))
        return later

    def dead_letter(self, delivery: Delivery, error: dict[str, str], now: float) -> Delivery:
        """The same delivery, from now on to the dead-letter sink, with `error` as extensions."""
        moved = replace(delivery, stage="dead-letter", failed=0, due=now)
        self._db.execute(
            "UPDATE deliveries SET stage = 'dead-letter', failed = 0, due = ?, error = ? WHERE id = ?",
            (now, json.dumps(error), moved.id),
        )
        return moved

    def _add(self, event: int, broker: str, trigger: str, due: float, key: str | None) -> Delivery:
        row = (event, trigger, due)
        inserted = self._db.execute("INSERT INTO deliveries (event, trigger_name, due) VALUES (?, ?, ?)", row).lastrowid
        assert inserted is not None
        return Delivery(inserted, event, broker, trigger, "subscriber", 0, due, key)

    def _finish(self, delivery: int) -> None:
        row = self._db.execute("DELETE FROM deliveries WHERE id = ? RETURNING event", (delivery,)).fetchone()
        if row:
            self._db.execute(
                "DELETE FROM events WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = ?1)", row
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
