"""Redis as the version before left it: its history, its outbox and its commands go on."""

import json

import pytest
from documents import lines, restore

from events.model import ModelRef
from events.status import State
from functions.adapters.keys import index_key
from functions.lifecycle.effects import AuditEntry
from functions.reconcile.ports import Commit

SCORER = ModelRef(namespace="fraud", name="scorer")


@pytest.fixture(autouse=True)
async def older(raw, redis_url):
    await restore(raw)


async def older_entries(raw) -> int:
    return await raw.xlen("{modelswitch}:audit")


async def test_its_models_are_listed_and_loaded(store):
    assert await store.subjects("", 10) == [SCORER.subject]
    assert (await store.load(SCORER)).record.state is State.RUNNING
    [record] = await store.records([SCORER])
    assert record.status().name == "scorer"
    assert await store.synced()
    assert (await store.take_pass()).doc


async def test_its_history_is_read_beside_the_new_one_newest_first(store, raw):
    older = await older_entries(raw)
    known = await store.load(SCORER)
    entry = AuditEntry(known.record.observed_at, SCORER, "stop", "oncall", event_id="new-1", correlation_id="c")
    await store.commit(Commit(SCORER, known.revision, known.record, audit=(entry,)))
    found = await store.newest("", 1000)
    assert len(found) == older + 1
    assert found[0].audit == entry
    page = await store.newest(found[9].entry, 1000)
    assert [one.entry for one in page] == [one.entry for one in found[10:]]
    assert await store.entry(found[5].entry) == found[5].audit
    assert {one.audit.ref.namespace for one in await store.newest("", 1000, namespaces={"fraud"})} == {"fraud"}
    refused = await store.newest("", 1000, kinds="r")
    assert refused
    assert all(one.audit.code for one in refused)


async def test_its_dead_letters_can_be_read_and_sent_again(store):
    places = [one.audit.letter for one in await store.newest("", 1000) if one.audit.letter]
    assert len(await store.letters(places)) == len(places) == 3


async def test_its_history_enters_the_models_indexes_once_and_goes_one_day(store, raw):
    older = [one.audit for one in await store.newest("", 1000) if one.audit.ref == SCORER]
    while await store.index_older(7):
        pass
    assert await store.index_older(7) == 0
    assert (await store.histories([SCORER], 100))[SCORER] == older
    assert await raw.ttl("{modelswitch}:audit") > 0
    assert await raw.zcard(index_key(SCORER.subject)) == sum(not entry.code for entry in older)


async def test_events_that_wait_in_its_outbox_leave_first(store):
    [lane] = await store.outbox.lanes()
    waiting = await store.outbox.waiting(lane, 100)
    assert [one.event.id for one in waiting][:1] == [json.loads(lines("outbox")[0])["id"]]
    await store.outbox.sent(lane, [one.entry for one in waiting])
    assert await store.outbox.lanes() == []


async def test_the_changes_that_it_wrote_can_be_followed(store):
    moved = [one async for one in store.changes("0-0", 0.05)]
    assert any(one.ref == SCORER and one.audit for one in moved)
