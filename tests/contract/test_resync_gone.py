"""Which known models a page of a resync shows to be gone, on a real Redis; and what is due, by namespace."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.serialization import load_state
from functions.lifecycle.record import Record
from functions.reconcile.ports import Commit
from functions.tick.resync import MOST_CHARACTERS, Cursor, _gone
from functions.tick.round import _due

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GRAPH = Kind.INFERENCE_GRAPH


def ref(namespace, name, kind=Kind.INFERENCE_SERVICE):
    return ModelRef(namespace=namespace, name=name, kind=kind)


async def know(store, *refs, due=None):
    for one in refs:
        record = Record(ref=one, uid=str(one), version=1, pods_version=1, state=State.RUNNING, observed_at=NOW)
        await store.commit(Commit(one, 0, record, due=due))


@pytest.fixture
def parts(store):
    return SimpleNamespace(store=store)


KNOWN = (ref("a", "x"), ref("a", "y"), ref("a-b", "x"), ref("b", "x"), ref("b", "x", GRAPH), ref("c", "z"))


async def test_what_a_page_does_not_have_between_its_ends_is_gone(parts, store):
    await know(store, *KNOWN)
    met = {ref("a", "x").subject, ref("b", "x").subject}
    gone = await _gone(parts, Kind.INFERENCE_SERVICE, "", ref("b", "x").subject, met)
    assert set(gone) == {ref("a", "y"), ref("a-b", "x")}


async def test_the_last_page_reaches_to_the_end_and_other_kinds_are_not_its_business(parts, store):
    await know(store, *KNOWN)
    met = {ref("b", "x").subject}
    assert await _gone(parts, Kind.INFERENCE_SERVICE, ref("a", "y").subject, None, met) == [ref("c", "z")]
    assert await _gone(parts, GRAPH, "", None, set()) == [ref("b", "x", GRAPH)]


async def test_what_is_gone_is_due_at_once_and_nothing_is_due_later_for_it(store):
    one, other = ref("a", "x"), ref("a", "y")
    await know(store, one, due=NOW + timedelta(hours=1))
    await store.make_due([one, other], NOW)
    assert set(await store.due(NOW, 10)) == {one, other}
    await store.make_due([one], NOW + timedelta(hours=2))
    assert one in await store.due(NOW, 10)


async def test_a_look_that_failed_is_due_again_later(store):
    one = ref("a", "x")
    await know(store, one, due=NOW)
    await store.postpone(one, NOW + timedelta(seconds=10))
    assert await store.due(NOW, 10) == []
    assert await store.due(NOW + timedelta(seconds=10), 10) == [one]
    await store.postpone(ref("a", "unknown"), NOW)
    assert ref("a", "unknown") not in await store.due(NOW + timedelta(days=1), 10)


async def test_thousands_of_due_models_of_one_namespace_leave_room_for_the_others(parts, store):
    await store.make_due([ref("greedy", f"m-{number}") for number in range(5000)], NOW)
    await store.make_due([ref("small", "late")], NOW + timedelta(seconds=1))
    found = await _due(parts)
    assert ref("small", "late") in found
    assert sum(one.namespace == "greedy" for one in found) == 500


def test_where_a_pass_is_does_not_grow_with_the_models_that_it_has_met():
    text = Cursor(last=ref("n" * 63, "m" * 253).subject).dump()
    assert len(text) < 600


@pytest.mark.parametrize("text", ["", "nonsense", '{"kind": "x"}', '{"schema": 1, "kind": 10000}'])
def test_a_cursor_that_cannot_be_read_begins_the_pass_again(text):
    assert load_state(Cursor, text, MOST_CHARACTERS) is None
