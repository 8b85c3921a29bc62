"""The store on a real Redis: claims, commits, what is due, and what a crash or a loss leaves."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from events.commands import StartRequested, StopRequested
from events.facts import ModelStopping
from events.model import ModelRef
from events.status import State
from functions.adapters.store import Store
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import AuditEntry, Published, StepAnswer
from functions.lifecycle.errors import Code, Refused, StoreUnavailable
from functions.lifecycle.record import Intent, Record, Run
from functions.lifecycle.request import Request
from functions.reconcile.ports import Claimed, Commit, InLine

REF = ModelRef(namespace="fraud", name="scorer")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = Record(ref=REF, uid="u", version=10, pods_version=10, state=State.STOPPING, observed_at=NOW)
ENTRY = AuditEntry(NOW, REF, "stop", "oncall", state="stopping", changed=True)
EVENT = Published("event-1", REF, ModelStopping(actor="oncall", pods=1), NOW)


def asked(identity: str = "1", ref: ModelRef = REF, **changes) -> Request:
    values = {"command": StopRequested(), "source": "/test", "actor": "oncall"}
    return Request(ref=ref, id=identity, **{**values, **changes})


async def waiting_in(store):
    return [waiting for lane in await store.outbox.lanes() for waiting in await store.outbox.waiting(lane, 10)]


async def commit(store, claimed, request, **changes):
    values = {"record": RECORD, "answer": StepAnswer(202, {"changed": True}, changed=True)}
    return await store.commit(
        Commit(REF, claimed.revision, token=claimed.token, request=request, **{**values, **changes})
    )


async def test_a_command_answered_once_gets_the_same_answer_again(store):
    request = asked()
    await commit(store, await store.claim(request), request)
    again = await store.claim(request)
    assert again.answer == StepAnswer(202, {"changed": True}, changed=True)


async def test_the_same_id_of_another_source_is_another_command(store):
    request = asked()
    await commit(store, await store.claim(request), request)
    other = await store.claim(asked(source="/other"))
    assert other.answer is None


@pytest.mark.parametrize(
    "other",
    [
        {"by_event": True, "source": "rest:local", "actor": "event:rest:local"},
        {"by_event": True, "source": "rest:local", "actor": "oncall"},
        {"source": "rest:local", "actor": "somebody else"},
        {"source": "rest:local", "actor": "oncall", "ref": ModelRef(namespace="other-tenant", name="scorer")},
    ],
)
async def test_the_same_source_and_id_by_another_channel_sender_or_of_another_model_is_another_command(store, other):
    """An event that calls itself `rest:local` uses up no Idempotency-Key, nor one tenant the ids of another."""
    taken = asked(command=StopRequested(graceful=False), **other)
    claimed = await store.claim(taken)
    await store.commit(Commit(taken.ref, 0, None, token=claimed.token, request=taken, answer=StepAnswer(202)))
    assert (await store.claim(asked(source="rest:local"))).answer is None


async def test_another_delivery_waits_while_one_is_at_work(store):
    await store.claim(asked())
    assert await store.claim(asked()) == InLine(0)


async def test_one_model_takes_one_command_at_a_time_and_another_model_does_not_wait(store):
    await store.claim(asked("1"))
    assert await store.claim(asked("2")) == InLine(1)
    elsewhere = ModelRef(namespace="fraud", name="other")
    assert (await store.claim(asked("3", elsewhere))).answer is None


async def test_fifty_claims_of_one_id_at_once_give_it_to_one(store):
    results = await asyncio.gather(*(store.claim(asked()) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(result, Claimed) for result in results) == 1


async def test_a_lease_that_ended_is_taken_over_with_the_same_place_in_the_order(store, raw):
    request = asked()
    first = await store.claim(request)
    await expire_leases(raw)
    later = await store.claim(asked("2"))
    await commit(store, later, asked("2"))
    again = await store.claim(request)
    assert again.redelivered
    assert again.sequence == first.sequence < later.sequence
    assert not later.redelivered


async def test_the_delivery_that_lost_its_lease_can_t_commit(store, raw):
    request = asked()
    slow = await store.claim(request)
    await expire_leases(raw)
    await store.claim(request)
    with pytest.raises(StoreUnavailable):
        await commit(store, slow, request)


async def test_a_release_lets_the_same_command_try_again_at_once(store):
    request = asked()
    claimed = await store.claim(request)
    await store.release(claimed.token, request)
    again = await store.claim(request)
    assert again.answer is None
    assert again.sequence == claimed.sequence


async def test_what_was_planned_survives_the_process(store, raw):
    request = asked(command=StartRequested())
    claimed = await store.claim(request)
    run = Run(since=NOW, actor="pipeline", key=request.key)
    await store.save_intent(claimed.token, request, Intent(verb="start", at=NOW, run=run))
    await expire_leases(raw)
    assert (await store.claim(request)).planned.run.actor == "pipeline"
    assert (await store.load(REF)).planned.run.actor == "pipeline"


async def test_a_command_that_is_dropped_leaves_the_plan_of_another(store, raw):
    planner, dropped = asked("later", command=StartRequested()), asked("earlier")
    claimed = await store.claim(planner)
    run = Run(since=NOW, actor="pipeline", key=planner.key)
    await store.save_intent(claimed.token, planner, Intent(verb="start", at=NOW, run=run))
    await expire_leases(raw)
    await commit(store, await store.claim(dropped), dropped, record=None)
    assert (await store.load(REF)).planned.run.actor == "pipeline"


async def test_a_commit_leaves_everything_or_nothing(store, raw):
    request = asked()
    claimed = await store.claim(request)
    due = NOW + timedelta(seconds=1)
    await commit(store, claimed, request, audit=(ENTRY,), events=(EVENT,), due=due)
    assert (await store.load(REF)).record == RECORD
    assert [waiting.event.id for waiting in await waiting_in(store)] == [EVENT.id]
    assert await store.due(due, 10) == [REF]
    assert await store.histories([REF], 10) == {REF: [ENTRY]}
    before = {key: await dump(raw, key) for key in await raw.keys()}
    stale = await store.commit(Commit(REF, 99, RECORD, audit=(ENTRY,), events=(EVENT,)))
    assert stale.conflict
    assert before == {key: await dump(raw, key) for key in await raw.keys()}


async def test_an_older_look_never_overwrites_a_newer_one(store):
    await store.commit(Commit(REF, 0, RECORD))
    older = RECORD.model_copy(update={"pods_version": 9, "state": State.RUNNING})
    committed = await store.commit(Commit(REF, 1, older))
    assert committed.stale
    assert (await store.load(REF)).record.state is State.STOPPING


async def test_a_lower_version_long_after_is_a_cluster_that_was_restored(store, raw):
    await store.commit(Commit(REF, 0, RECORD))
    for key in await raw.keys("*:model:*"):
        await raw.hset(key, "at", 0)
    restored = RECORD.model_copy(update={"version": 3, "pods_version": 3, "state": State.RUNNING})
    assert not (await store.commit(Commit(REF, 1, restored))).stale
    assert (await store.load(REF)).record.state is State.RUNNING


async def test_a_model_made_anew_is_not_held_against_the_old_one_s_versions(store):
    await store.commit(Commit(REF, 0, RECORD))
    anew = RECORD.model_copy(update={"uid": "another", "version": 1, "pods_version": 1})
    assert not (await store.commit(Commit(REF, 1, anew))).stale


async def test_an_id_used_for_another_command_is_refused(store):
    request = asked()
    await commit(store, await store.claim(request), request)
    with pytest.raises(Refused) as refused:
        await store.claim(asked(command=StopRequested(graceful=False)))
    assert (refused.value.code, refused.value.status) == (Code.IDEMPOTENCY_KEY_REUSED, 422)


async def test_a_fact_is_published_until_it_is_acknowledged(store):
    await store.commit(Commit(REF, 0, RECORD, events=(EVENT,)))
    (waiting,) = await waiting_in(store)
    assert await waiting_in(store) == [waiting]
    await store.outbox.sent(waiting.lane, [waiting.entry])
    assert await waiting_in(store) == []


async def test_a_model_that_is_gone_is_forgotten(store):
    await store.commit(Commit(REF, 0, RECORD, due=NOW))
    await store.commit(Commit(REF, 1, None, forget=True))
    assert (await store.load(REF)).record is None
    assert await store.count() == 0
    assert await store.due(NOW, 10) == []
    await store.commit(Commit(REF, 2, RECORD))
    assert (await store.load(REF)).record == RECORD


async def test_the_order_of_commands_goes_on_rising_after_a_loss_of_all_data(store, raw):
    first = await store.claim(asked("1"))
    await raw.flushall()
    assert (await store.claim(asked("2"))).sequence > first.sequence


async def test_models_come_in_pages(store):
    refs = [ModelRef(namespace="fraud", name=f"m{number:02}") for number in range(7)]
    for ref in refs:
        await store.commit(Commit(ref, 0, RECORD.model_copy(update={"ref": ref})))
    first = await store.subjects("", 4)
    assert first + await store.subjects(first[-1], 4) == [ref.subject for ref in refs]


async def test_the_history_can_be_followed_from_where_one_left(store):
    start = await store.last_change()
    await store.commit(Commit(REF, 0, RECORD, audit=(ENTRY, ENTRY)))
    seen = [change async for change in store.changes(start, 0.05)]
    assert [change.audit for change in seen] == [ENTRY, ENTRY]
    assert [change async for change in store.changes(seen[0].entry, 0.05)] == seen[1:]


async def followed(store, start):
    return [change async for change in store.changes(start, 0.05)]


async def test_what_people_are_shown_can_be_followed_without_an_entry_in_the_history(store, raw):
    """A pod more, a label, another message: nothing of it is history, and all of it stands on open pages."""
    await store.commit(Commit(REF, 0, RECORD, audit=(ENTRY,)))
    start = await store.last_change()
    record, revision = RECORD, 1
    for shown in ({"gpus": 2}, {"labels": {"a": "b"}}, {"message": "1 of 2 pods ready."}, {"queued": True}):
        record = record.model_copy(update=shown)
        await store.commit(Commit(REF, revision, record))
        revision += 1
        [change] = await followed(store, start)
        assert (change.ref, change.audit) == (REF, None), shown
        start = change.entry
    for unseen in ({"version": 11}, {"observed_at": NOW + timedelta(seconds=5)}, {"sequence": 9}):
        record = record.model_copy(update=unseen)
        await store.commit(Commit(REF, revision, record))
        revision += 1
    assert await followed(store, start) == []
    assert len(await store.newest("", 10)) == 1


async def test_a_message_that_only_counts_its_seconds_on_is_no_change(store):
    said = {"message": "KServe has not acted on the stop for {}s and 1 pod still run."}
    waiting = [RECORD.model_copy(update={"message": said["message"].format(seconds)}) for seconds in (9, 14)]
    await store.commit(Commit(REF, 0, waiting[0]))
    start = await store.last_change()
    await store.commit(Commit(REF, 1, waiting[1]))
    assert await followed(store, start) == []


async def test_a_change_with_entries_in_the_history_is_told_once_for_each(store):
    start = await store.last_change()
    await store.commit(Commit(REF, 0, RECORD, audit=(ENTRY,)))
    await store.commit(Commit(REF, 1, None, audit=(), forget=True))
    await store.commit(Commit(REF, 2, None, audit=(), forget=True))
    assert [change.audit for change in await followed(store, start)] == [ENTRY, None]
    await store.commit(Commit(REF, 99, RECORD.model_copy(update={"gpus": 3})))
    assert len(await followed(store, start)) == 2, "what was not committed is not told"


async def test_changes_are_kept_for_a_while_and_who_was_away_longer_is_told(store, raw):
    await store.commit(Commit(REF, 0, RECORD))
    first = await store.last_change()
    asks = [Commit(REF, number, RECORD.model_copy(update={"gpus": number})) for number in range(1, 10_201)]
    for begin in range(0, len(asks), 500):
        await asyncio.gather(*map(store.commit, asks[begin : begin + 500]))
    assert 10_000 <= await raw.xlen("{modelswitch}:changes") <= 10_100
    assert not await store.has_change(first)
    assert await store.has_change(await store.last_change())


async def test_all_keys_share_one_slot_of_a_redis_cluster(store, raw):
    request = asked()
    await commit(store, await store.claim(request), request, audit=(ENTRY,), events=(EVENT,), due=NOW)
    slots = {await raw.execute_command("CLUSTER KEYSLOT", key) for key in await raw.keys()}
    assert len(slots) == 1


async def test_a_redis_that_is_away_says_so():
    away = Store.connect("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable) as error:
        await away.load(REF)
    assert error.value.status == 503
    assert error.value.retry_after
    await away.close()


async def test_a_command_on_a_model_that_never_was_leaves_nothing_for_good(store, raw):
    request = asked()
    claimed = await store.claim(request)
    await store.release(claimed.token, request)
    assert all([await raw.ttl(key) > 0 for key in await raw.keys()])


async def expire_leases(raw) -> None:
    """As if 15 s had passed."""
    for key in await raw.keys("*:seen:*"):
        await raw.hset(key, "until", 0)
    for key in await raw.keys("*:model:*"):
        if await raw.hexists(key, "busy"):
            await raw.hset(key, "busy_until", 0)


async def dump(raw, key: str) -> str:
    match await raw.type(key):
        case "hash":
            return json.dumps(await raw.hgetall(key))
        case "stream":
            return json.dumps(await raw.xrange(key))
        case "zset":
            return json.dumps(await raw.zrange(key, 0, -1, withscores=True))
        case _:
            return await raw.get(key)


async def test_an_event_that_nobody_could_take_is_kept_beside_its_entry(store):
    dead = AuditEntry(NOW, REF, "dead-letter", "/test", code="503", event_id="e1", correlation_id="c1")
    letter = DeadLetter("dev.modelswitch.model.stop-requested.v1", REF.subject, {"reason": "night"}, 18)
    await store.write_audit(dead, letter)
    [change] = await store.newest("", 10)
    assert (change.audit.correlation_id, change.audit.event_id) == ("c1", "e1")
    assert await store.letters([change.audit.letter, "1-0"]) == {change.audit.letter: letter}
    assert await store.entry(change.entry) == change.audit
    assert await store.entry("1-0") is None


async def test_of_events_that_nobody_could_take_the_last_thousand_are_kept(store, raw):
    letter = DeadLetter("dev.modelswitch.model.stop-requested.v1", REF.subject, {"reason": "x" * 4000}, 4000)
    for _ in range(1100):
        await store.write_audit(ENTRY, letter)
    assert await raw.xlen("{modelswitch}:letters") <= 1010
    assert len(await store.newest("", 2000)) == 1100


async def test_a_correlation_id_that_is_the_events_own_id_takes_no_room(store, raw):
    entries = [
        AuditEntry(NOW, REF, "stop", "oncall", event_id="e1", correlation_id=given) for given in ("e1", None, "c1")
    ]
    await store.commit(Commit(REF, 0, RECORD, audit=tuple(entries)))
    assert [change.audit.correlation_id for change in await store.newest("", 10)] == ["c1", "e1", "e1"]
    stored = [json.loads(fields["d"]) for _, fields in await raw.xrange("{modelswitch}:history:fraud")]
    assert ["correlation_id" in entry for entry in stored] == [False, False, True]
