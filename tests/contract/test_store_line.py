"""A model's line on a real Redis: a command takes its place when it arrives, and keeps it whatever becomes of the
lease's holder.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from events.artifact import Artifact
from events.commands import ReloadRequested, StartRequested, StopRequested
from events.model import ModelRef
from events.status import State
from functions.adapters import serialization
from functions.adapters.keys import LINES, line_key, seen_key
from functions.adapters.store import LINE_LENGTH
from functions.lifecycle.effects import StepAnswer
from functions.lifecycle.errors import Code, Refused, Temporary
from functions.lifecycle.record import Record
from functions.lifecycle.request import Request
from functions.reconcile.ports import Commit, InLine

REF = ModelRef(namespace="fraud", name="scorer")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = Record(ref=REF, uid="u", version=10, pods_version=10, state=State.STOPPING, observed_at=NOW)
DONE = StepAnswer(202, {"changed": True}, changed=True)
RELOAD = ReloadRequested(artifact=Artifact(uri="gs://models/iris", digest=f"sha256:{'1' * 64}", size=1))


def asked(identity, command=None, **changes):
    values = {"command": command or StopRequested(), "source": "/test", "actor": "oncall", "by_event": True}
    return Request(ref=REF, id=identity, **{**values, **changes})


async def finish(store, claimed, request, **changes):
    values = {"record": None, "answer": DONE}
    return await store.commit(
        Commit(REF, claimed.revision, token=claimed.token, request=request, **{**values, **changes})
    )


async def expire_leases(raw):
    """As if 15 s had passed."""
    for key in await raw.keys("*:model:*"):
        if await raw.hexists(key, "busy"):
            await raw.hset(key, "busy_until", 0)


async def test_a_command_that_arrives_while_another_is_at_work_comes_after_it_and_before_what_arrives_later(store):
    first, start, late = asked("1"), asked("2", StartRequested()), asked("3", StopRequested())
    at_work = await store.claim(first)
    assert await store.claim(start) == InLine(1)
    assert await store.claim(late) == InLine(2)
    assert await store.claim_next(REF) is None
    await finish(store, at_work, first)
    last = await store.claim_next(REF)
    assert (last.request.id, last.redelivered) == ("3", True)
    await finish(store, last, last.request)
    pointless = await store.claim_next(REF)
    assert pointless.request.id == "2"
    assert at_work.sequence < pointless.sequence < last.sequence


async def test_what_comes_again_keeps_the_place_that_it_got_when_it_arrived(store):
    first, refused_as_busy = asked("1"), asked("2", StartRequested())
    at_work = await store.claim(first)
    await store.claim(refused_as_busy)
    await finish(store, at_work, first)
    stop = asked("3")
    latest = await store.claim(stop)
    assert latest.request is None
    await finish(store, latest, stop)
    again = await store.claim(refused_as_busy)
    assert again.redelivered
    assert again.sequence < latest.sequence


async def test_a_delivery_that_waits_is_given_what_comes_first(store):
    first, waits = asked("1"), asked("2", RELOAD)
    at_work = await store.claim(first)
    await store.claim(waits)
    await store.claim(asked("3", StartRequested()))
    await finish(store, at_work, first)
    helped = await store.claim(waits)
    assert helped.request.id == "3"
    await finish(store, helped, helped.request)
    mine = await store.claim(waits)
    assert (mine.request, mine.answer) == (None, None)


async def test_reloads_have_no_place_among_stops_and_starts_and_none_is_lost(store):
    first = asked("1")
    at_work = await store.claim(first)
    for identity, command in (("2", RELOAD), ("3", StartRequested()), ("4", RELOAD), ("5", StopRequested())):
        await store.claim(asked(identity, command))
    await finish(store, at_work, first)
    order = []
    while claimed := await store.claim_next(REF):
        order.append(claimed.request.id)
        await finish(store, claimed, claimed.request)
    assert order == ["5", "3", "2", "4"]
    assert await store.lines(10) == []


async def test_a_commit_says_whether_a_command_is_left_in_line(store):
    """Else each command would ask for the next one after it."""
    first, start = asked("1"), asked("2", StartRequested())
    at_work = await store.claim(first)
    await store.claim(start)
    assert not (await finish(store, at_work, first)).last
    following = await store.claim_next(REF)
    assert (await finish(store, following, start)).last


async def test_a_command_whose_holder_died_is_still_in_line_and_done_once(store, raw):
    request = asked("1")
    await store.claim(request)
    assert await store.lines(10) == [REF]
    await expire_leases(raw)
    taken_over = await store.claim_next(REF)
    assert (taken_over.request.id, taken_over.redelivered) == ("1", True)
    await finish(store, taken_over, taken_over.request)
    assert await store.claim_next(REF) is None
    assert (await store.claim(request)).answer == DONE


async def test_a_command_comes_out_of_the_line_as_it_was_put_into_it(store):
    first = asked("1")
    at_work = await store.claim(first)
    sent = asked(
        "2",
        StopRequested(graceful=False, reason="line\nbreak, ü and \x00"),
        correlation_id="corr",
        traceparent="00-1-1-01",
        expires_at=NOW + timedelta(hours=1),
        queue=True,
        by_event=False,
    )
    await store.claim(sent)
    await finish(store, at_work, first)
    received = (await store.claim_next(REF)).request
    assert vars(received) == vars(sent) | {"seen_as": seen_key(sent)}


async def test_a_command_of_a_newer_version_is_read_and_one_that_can_t_be_is_set_aside(store, raw):
    first = asked("1")
    at_work = await store.claim(first)
    await store.claim(asked("2", StartRequested()))
    await store.claim(asked("3", RELOAD))
    await finish(store, at_work, first)
    newer = json.loads(serialization.dump_command(asked("2", StartRequested()))) | {"schema": 2, "holds": ["x"]}
    newer["data"]["until"] = "2026-03-02T00:00:00Z"
    entries = await raw.zrange(line_key(REF), 0, -1, withscores=True)
    for member, score in entries:
        text = member if isinstance(member, str) else member.decode()
        place, ordered, _ = text.split("\n", 2)
        document = json.dumps(newer) if ordered == "1" else '{"schema": 9}'
        await raw.zrem(line_key(REF), member)
        await raw.zadd(line_key(REF), {f"{place}\n{ordered}\n{document}": score})
    start = await store.claim_next(REF)
    assert (start.request.id, start.request.verb) == ("2", "start")
    await finish(store, start, start.request)
    assert await store.claim_next(REF) is None
    assert await store.lines(10) == []


async def test_a_line_is_bounded_and_what_is_turned_away_leaves_nothing(store, raw):
    await store.claim(asked("0"))
    for number in range(1, LINE_LENGTH):
        await store.claim(asked(str(number)))
    keys = set(await raw.keys())
    with pytest.raises(Temporary) as full:
        await store.claim(asked("one too many"))
    assert (full.value.code, full.value.status) == (Code.BUSY, 503)
    assert set(await raw.keys()) == keys
    elsewhere = ModelRef(namespace="fraud", name="other")
    assert (await store.claim(Request(elsewhere, StopRequested(), "/test", "1", "oncall"))).token


async def test_a_command_given_back_stays_in_line_or_leaves_it(store):
    stays, leaves = asked("1"), asked("2", by_event=False)
    claimed = await store.claim(stays)
    await store.release(claimed.token, stays, stays=True)
    taken = await store.claim_next(REF)
    assert taken.sequence == claimed.sequence
    await finish(store, taken, taken.request)
    claimed = await store.claim(leaves)
    await store.release(claimed.token, leaves, stays=False)
    assert await store.claim_next(REF) is None
    again = await store.claim(leaves)
    assert (again.sequence, again.redelivered) == (claimed.sequence, True)


async def test_a_refusal_that_nobody_heard_is_told_once_and_then_the_same_key_tries_again(store):
    first, waits = asked("1"), asked("2", StartRequested(), by_event=False)
    at_work = await store.claim(first)
    await store.claim(waits)
    await finish(store, at_work, first)
    taken = await store.claim_next(REF)
    refusal = Refused(Code.QUOTA_EXCEEDED, "no room", "Free some.", retry_after=7)
    await finish(store, taken, taken.request, answer=None, refusal=refusal)
    with pytest.raises(Refused) as told:
        await store.claim(waits)
    assert (told.value.status, told.value.code, told.value.message, told.value.next_action, told.value.retry_after) == (
        409,
        Code.QUOTA_EXCEEDED,
        "no room",
        "Free some.",
        7,
    )
    again = await store.claim(waits)
    assert (again.answer, again.sequence) == (None, taken.sequence)


async def test_of_fifty_that_ask_for_the_next_one_gets_it(store):
    first = asked("1")
    at_work = await store.claim(first)
    await store.claim(asked("2"))
    await finish(store, at_work, first)
    found = await asyncio.gather(*(store.claim_next(REF) for _ in range(50)))
    assert sum(one is not None for one in found) == 1


async def test_a_line_leaves_nothing_for_good(store, raw):
    first = asked("1")
    at_work = await store.claim(first)
    await store.claim(asked("2", RELOAD))
    timeless = [key for key in await raw.keys() if await raw.ttl(key) < 0]
    assert timeless == [LINES]
    await finish(store, at_work, first)
    taken = await store.claim_next(REF)
    await finish(store, taken, taken.request)
    assert all([await raw.ttl(key) > 0 for key in await raw.keys() if ":audit" not in key])


async def test_a_line_that_was_tried_comes_after_those_of_other_models(store, raw):
    other = ModelRef(namespace="blue", name="other")
    request, second = asked("1"), Request(other, StopRequested(), "/test", "2", "oncall", by_event=True)
    for one in (request, second):
        claimed = await store.claim(one)
        await store.release(claimed.token, one, stays=True)
    for one, score in ((REF, 1), (other, 2)):
        await raw.zadd(LINES, {one.subject: score})
    assert await store.lines(10) == [REF, other]
    assert await store.claim_next(REF)
    assert await store.lines(10) == [other, REF]
