"""The lease of the pass over all models on a real Redis: one tick at a time, and never complete after a loss of data."""

import asyncio
from datetime import UTC, datetime

from events.model import ModelRef
from events.status import State
from functions.lifecycle.errors import StoreUnavailable, Temporary
from functions.lifecycle.record import Record
from functions.reconcile.ports import Commit, Committed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(number: int) -> Record:
    ref = ModelRef(namespace="fraud", name=f"model-{number}")
    return Record(ref=ref, uid=str(number), version=1, pods_version=1, state=State.RUNNING, observed_at=NOW)


async def test_one_tick_at_a_time_looks_at_every_model(store):
    held = await store.take_pass()
    assert held.doc == ""
    assert await store.take_pass() is None
    await store.save_pass(held, "page 2", ends=True)
    assert (await store.take_pass()).doc == "page 2"


async def test_a_tick_that_died_leaves_the_pass_after_its_lease(store, raw):
    dead = await store.take_pass()
    await raw.hset("{modelswitch}:resync", "until", "1")
    assert await store.take_pass()
    assert await store.save_pass(dead, "page 2", completed=True) is None
    assert not await store.synced()


async def test_a_pass_is_not_complete_where_redis_lost_its_data_in_between(store, raw):
    held = await store.save_pass(await store.take_pass(), "page 2")
    await raw.flushall()
    assert await store.save_pass(held, "", completed=True) is None
    assert not await store.synced()
    assert (await store.take_pass()).doc == ""


async def test_a_pass_is_not_complete_where_redis_fell_back_to_an_older_state(store, raw):
    held = await store.save_pass(await store.take_pass(), "page 2")
    older = await raw.hgetall("{modelswitch}:resync")
    held = await store.save_pass(held, "page 3")
    await raw.hset("{modelswitch}:resync", mapping=older)
    assert await store.save_pass(held, "", completed=True) is None
    assert (await store.take_pass()).doc == "page 2"


async def test_the_data_keeps_its_name_until_it_is_lost(store, raw):
    await store.save_pass(await store.take_pass(), "", completed=True, ends=True)
    first = await store.synced()
    await store.save_pass(await store.take_pass(), "", completed=True, ends=True)
    assert await store.synced() == first
    await raw.flushall()
    await store.save_pass(await store.take_pass(), "", completed=True, ends=True)
    assert await store.synced() not in {"", first}


async def test_a_model_whose_key_is_broken_fails_alone(store, raw):
    broken, other = record(1), record(2)
    await raw.set(f"{{modelswitch}}:model:{broken.ref.subject}", "not what we write")
    commits = [Commit(broken.ref, 0, broken), Commit(other.ref, 0, other)]
    failed, done = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)
    assert done == Committed()
    failed_too, loaded = await asyncio.gather(*map(store.load, [broken.ref, other.ref]), return_exceptions=True)
    assert loaded.record.uid == "2"
    for error in (failed, failed_too):
        assert isinstance(error, Temporary)
        assert not isinstance(error, StoreUnavailable), "Redis is not away"
    assert [known and known.uid for known in await store.records([broken.ref, other.ref])] == [None, "2"]


async def test_many_commits_in_one_go_are_each_judged_by_themselves(store):
    one, two = record(1), record(2)
    await store.commit(Commit(one.ref, 0, one))
    done = await asyncio.gather(*map(store.commit, [Commit(one.ref, 0, one), Commit(two.ref, 0, two)]))
    assert [(item.conflict, item.stale) for item in done] == [(True, False), (False, False)]
    loaded = await asyncio.gather(*map(store.load, [one.ref, two.ref, record(3).ref]))
    assert [(item.revision, item.record and item.record.uid) for item in loaded] == [(1, "1"), (1, "2"), (0, None)]
