"""The history on a real Redis: streams per namespace, refusals apart, an index per model; no page is emptied by other
tenants.
"""

import asyncio
from datetime import UTC, datetime

import pytest

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters import keys
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import AuditEntry
from functions.lifecycle.record import Record
from functions.reconcile.ports import Commit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINE = ModelRef(namespace="fraud", name="card-fraud")
LETTER = DeadLetter("dev.modelswitch.model.stop-requested.v1", MINE.subject, {"reason": "night"}, 18)


def model(name: str, namespace: str = "fraud") -> ModelRef:
    return ModelRef(namespace=namespace, name=name)


def entry(ref: ModelRef | None, number: int = 0, **changes) -> AuditEntry:
    values = {"event_id": f"e{number}", "correlation_id": "c"}
    return AuditEntry(NOW, ref, "stop", "oncall", **{**values, **changes})


def refused(ref: ModelRef | None, number: int = 0) -> AuditEntry:
    return entry(ref, number, code="EventsNotAllowed", reason="r" * 300)


async def has_model(store, ref: ModelRef, *audit: AuditEntry, expected: int = 0) -> None:
    record = Record(ref=ref, uid="u", state=State.RUNNING, observed_at=NOW)
    await store.commit(Commit(ref, expected, record, audit=audit))


async def history_of(store, ref: ModelRef, limit: int) -> list[AuditEntry]:
    return (await store.histories([ref], limit))[ref]


async def flood(store, entries: list[AuditEntry]) -> None:
    for begin in range(0, len(entries), 30):
        await asyncio.gather(*(store.write_refusal(one) for one in entries[begin : begin + 30]))


async def test_10_050_refused_entries_of_one_tenant_empty_no_page(store):
    await has_model(store, MINE, entry(MINE, 1))
    await has_model(store, model("own", "tenant"), entry(model("own", "tenant"), 2))
    await flood(store, [refused(model("own", "tenant"), number) for number in range(10_050)])
    assert [one.event_id for one in await history_of(store, MINE, 100)] == ["e1"]
    assert [one.audit.event_id for one in await store.newest("", 100, namespaces={"fraud"})] == ["e1"]
    assert [one.audit.event_id for one in await store.newest("", 100, kinds="h")] == ["e2", "e1"]
    assert "e2" in [one.event_id for one in await history_of(store, model("own", "tenant"), 2000)]
    assert len(await store.newest("", 100_000, kinds="r")) <= 1100


async def test_refused_entries_about_models_and_namespaces_that_never_were_leave_one_bounded_stream(store, raw):
    await flood(store, [refused(model(f"m{number}", f"n{number}"), number) for number in range(1500)])
    await store.write_refusal(refused(None))
    assert await raw.keys() == ["{modelswitch}:refusals"]
    assert 1000 <= await raw.xlen("{modelswitch}:refusals") <= 1100


async def test_looking_at_models_that_never_were_leaves_no_key(store, raw):
    for number in range(5):
        await store.commit(Commit(model(f"m{number}"), 0, None, forget=True))
    assert await raw.keys() == []


async def test_a_models_page_reads_only_its_own_entries(store, raw):
    await has_model(store, MINE, *(entry(MINE, number) for number in range(3)))
    await store.write_refusal(refused(MINE, 3))
    others = [model(f"m{number}") for number in range(20)]
    for ref in others:
        await has_model(store, ref, *(entry(ref, number) for number in range(20)))
    await raw.config_resetstat()
    history = await history_of(store, MINE, 100)
    stats = await raw.info("commandstats")
    assert {one.event_id for one in history} == {"e3", "e2", "e1", "e0"}
    assert stats["cmdstat_xrange"]["calls"] == 4
    assert "cmdstat_xrevrange" not in stats


async def test_histories_of_several_models_come_together_each_its_own(store):
    refs = [model(f"m{number}") for number in range(10)]
    for number, ref in enumerate(refs):
        await has_model(store, ref, entry(ref, number))
    found = await store.histories([*refs, model("none")])
    assert {ref: [one.event_id for one in here] for ref, here in found.items()} == {
        **{ref: [f"e{number}"] for number, ref in enumerate(refs)},
        model("none"): [],
    }


async def test_pages_go_on_across_streams_without_a_gap_or_a_repeat(store):
    namespaces = ["a", "b", "c"]
    for number in range(90):
        ref = model("m", namespaces[number % 3])
        if number < 3:
            await has_model(store, ref)
        if number % 4 == 0:
            await store.write_refusal(refused(ref, number))
        else:
            await store.write_audit(entry(ref, number))
    found, before = [], ""
    while page := await store.newest(before, 7):
        found += page
        before = page[-1].entry
    assert sorted(one.audit.event_id for one in found) == sorted(f"e{number}" for number in range(90))
    moments = [int(one.entry.partition("-")[0]) for one in found]
    assert moments == sorted(moments, reverse=True)
    only_b = await store.newest("", 100, namespaces={"b"})
    assert {one.audit.ref.namespace for one in only_b} == {"b"}
    middle = only_b[10]
    assert await store.entry(middle.entry) == middle.audit
    rest = await store.newest(middle.entry, 100, namespaces={"b"})
    assert [one.entry for one in rest] == [one.entry for one in only_b[11:]]


async def test_entries_of_the_same_moment_in_several_streams_are_each_given_once(store, raw):
    for namespace in ("a", "b", "c"):
        await has_model(store, model("m", namespace))
        text = keys.serialization.dump_audit(entry(model("m", namespace)))
        for number in range(3):
            await raw.xadd(f"{{modelswitch}}:history:{namespace}", {"d": text}, id=f"1795825484350-{number}")
        await raw.zadd("{modelswitch}:namespaces", {namespace: 1})
    found, before = [], ""
    while page := await store.newest(before, 1):
        found += [one.entry for one in page]
        before = page[-1].entry
    assert len(found) == len(set(found)) == 9


async def test_each_namespace_has_its_share_of_a_bounded_whole(store, raw):
    """As namespaces are added the shares get smaller, also of those in which nothing happens any more."""
    for number in range(40):
        await has_model(store, model("m", f"n{number}"), entry(model("m", f"n{number}")))
    ref = model("m", "n0")
    for begin in range(0, 12_000, 500):
        await asyncio.gather(
            *map(store.commit, [Commit(ref, 0, None, audit=(entry(ref, begin + one),)) for one in range(500)])
        )
    kept = await raw.xlen("{modelswitch}:history:n0")
    assert 2500 <= kept <= 2600
    for number in range(40, 200):
        await has_model(store, model("m", f"n{number}"), entry(model("m", f"n{number}")))
    quiet = model("m", "n1")
    for begin in range(0, 40_000, 500):  # each eighth write or so cuts a stream that is drawn by chance
        await asyncio.gather(
            *map(store.commit, [Commit(quiet, 0, None, audit=(entry(quiet, begin + one),)) for one in range(500)])
        )
        if await raw.xlen("{modelswitch}:history:n0") <= 600:
            break
    assert await raw.xlen("{modelswitch}:history:n0") <= 600
    assert await raw.xlen("{modelswitch}:history:n1") <= 600


async def test_no_more_than_2_000_namespaces_have_streams_of_their_own(store, raw):
    await raw.zadd("{modelswitch}:namespaces", {f"n{number}": 1 for number in range(keys.NAMESPACES)})
    for number in range(keys.NAMESPACES):
        await raw.xadd(f"{{modelswitch}}:history:n{number}", {"d": "{}"})
    late = model("late", "late")
    await has_model(store, late, entry(late, 1))
    assert await raw.zcard("{modelswitch}:namespaces") == keys.NAMESPACES
    assert [one.event_id for one in await history_of(store, late, 10)] == ["e1"]
    assert (await store.newest("", 1))[0].audit.ref == late


async def test_what_is_left_of_a_namespace_goes_some_time_after_its_last_model_and_stays_if_one_comes_back(store, raw):
    await has_model(store, MINE, entry(MINE, 1))
    await has_model(store, model("other"), entry(model("other"), 2))
    await store.commit(Commit(MINE, 1, None, audit=(entry(MINE, 3),), forget=True))
    assert await raw.ttl("{modelswitch}:history:fraud") == -1
    await store.commit(Commit(model("other"), 1, None, forget=True))
    assert await raw.ttl("{modelswitch}:history:fraud") > 0
    assert [one.event_id for one in await history_of(store, MINE, 10)] == ["e3", "e1"]
    await has_model(store, MINE, expected=2)
    assert await raw.ttl("{modelswitch}:history:fraud") == -1
    assert await raw.ttl(keys.index_key(MINE.subject)) == -1
    assert [one.event_id for one in await history_of(store, MINE, 10)] == ["e3", "e1"]


async def test_a_namespace_whose_streams_are_gone_is_left_out_in_time(store, raw):
    """One of them is looked at with some of the writes."""
    await raw.zadd("{modelswitch}:namespaces", {"gone": 1})
    await has_model(store, MINE)
    number = 0
    while "gone" in await store.namespaces():
        await store.write_audit(entry(MINE, number))
        number += 1
        assert number < 5000
    assert await store.namespaces() == ["fraud"]


@pytest.mark.parametrize("text", ["", "x", "[]", '{"time": 7}', "[" * 50_000])
async def test_an_entry_that_can_t_be_read_is_shown_as_one_and_hides_no_other(store, raw, text):
    await has_model(store, MINE, entry(MINE, 1))
    await raw.xadd("{modelswitch}:history:fraud", {"d": text})
    await raw.xadd("{modelswitch}:history:fraud", {"other": "field"})
    await store.commit(
        Commit(MINE, 1, Record(ref=MINE, uid="u", state=State.STOPPED, observed_at=NOW), audit=(entry(MINE, 2),))
    )
    found = [one.audit for one in await store.newest("", 10)]
    assert [one.event_id for one in found] == ["e2", None, None, "e1"]
    assert found[1].action == "unreadable"
    assert [one.event_id for one in await history_of(store, MINE, 10)] == ["e2", "e1"]


async def test_a_model_of_a_kind_that_does_not_exist_yet_hides_no_other(store, raw):
    await has_model(store, MINE)
    later = "namespaces/fraud/trainedmodels/new"
    await raw.zadd("{modelswitch}:models", {later: 0, "namespaces/fraud/aaa": 0})
    await raw.zadd("{modelswitch}:due", {later: 1, MINE.subject: 2})
    await raw.zadd("{modelswitch}:artifacts", {f" gs://b/m\t{later}": 0, f" gs://b/m\t{MINE.subject}": 0})
    assert await store.subjects("", 1) == [MINE.subject]
    assert await store.due(NOW, 10) == [MINE]
    start = await store.last_change()
    for _ in range(600):
        await raw.xadd("{modelswitch}:changes", {"s": later})
    assert [one async for one in store.changes(start, 0.05)] == []
    await store.write_audit(entry(MINE, 1))
    await has_model(store, MINE, entry(MINE, 2), expected=1)
    assert [one.ref for one in [one async for one in store.changes(start, 0.05)]] == [MINE]


async def test_of_dead_letters_each_namespace_keeps_its_own(store, raw):
    await has_model(store, MINE)
    await has_model(store, model("own", "tenant"))
    await store.write_audit(refused(MINE, 1), LETTER)
    for number in range(1100):
        await store.write_audit(refused(model("own", "tenant"), number), LETTER)
    [mine] = await store.newest("", 10, namespaces={"fraud"})
    assert await store.letters([mine.audit.letter]) == {mine.audit.letter: LETTER}
    assert await raw.xlen("{modelswitch}:letters:tenant") <= 510


async def test_the_same_name_of_another_kind_has_a_history_of_its_own(store):
    graph = ModelRef(namespace="fraud", name="card-fraud", kind=Kind.INFERENCE_GRAPH)
    await has_model(store, MINE, entry(MINE, 1))
    await has_model(store, graph, entry(graph, 2))
    assert [one.event_id for one in await history_of(store, MINE, 10)] == ["e1"]
    assert [one.event_id for one in await history_of(store, graph, 10)] == ["e2"]


async def test_a_refusal_in_a_namespace_that_has_no_model_yet_is_found_there_and_nowhere_else(store):
    """It shares a stream with those of other such namespaces."""
    mistyped, other = model("mistyped", "none"), model("other", "other")
    for ref in (mistyped, other):
        await store.write_refusal(entry(ref, 1, code="NotFound"))
    found = await store.newest("", 10, namespaces={"none"})
    assert [change.audit.ref for change in found] == [mistyped]
