"""A command that waits in line is carried out as it came, by whom it came."""

from dataclasses import fields
from datetime import UTC, datetime

from events.commands import StopRequested
from events.model import ModelRef
from functions.adapters.serialization import dump_command, load_command
from functions.lifecycle.request import Request

REQUEST = Request(
    ref=ModelRef(namespace="fraud", name="scorer"),
    command=StopRequested(actor="alice", reason="night", timeout=90),
    source="/cron",
    id="s1",
    actor="event:/cron",
    claimed_actor="alice",
    correlation_id="c1",
    traceparent="00-1",
    expires_at=datetime(2026, 1, 1, tzinfo=UTC),
    by_event=True,
    queue=True,
    seen_as="seen",
)
GIVEN_WHEN_DONE = {"sequence", "redelivered", "first_seen"}


def test_nothing_of_a_command_is_lost_while_it_waits():
    empty = [
        one.name
        for one in fields(Request)
        if getattr(REQUEST, one.name) == one.default and one.name not in GIVEN_WHEN_DONE
    ]
    assert empty == [], "set every field here, so that a new one is not forgotten"
    assert load_command(dump_command(REQUEST), "seen") == REQUEST
