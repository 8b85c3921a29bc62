"""A model's lease that is lost with Redis' data: what was decided under it is not begun any more."""

from datetime import UTC, datetime

import pytest
import redis.asyncio as redis

from events.commands import StopRequested
from events.model import ModelRef
from functions.lifecycle.errors import Code, Temporary
from functions.lifecycle.record import Intent, Run
from functions.lifecycle.request import Request

REF = ModelRef(namespace="fraud", name="scorer")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTENT = Intent(verb="stop", at=NOW, run=Run(since=NOW, actor="oncall", key="/test 1"))


def asked(identity: str) -> Request:
    return Request(ref=REF, command=StopRequested(), source="/test", id=identity, actor="oncall")


async def test_a_plan_under_the_lease_is_stored(store):
    claimed = await store.claim(asked("1"))
    await store.save_intent(claimed.token, asked("1"), INTENT)
    assert (await store.load(REF)).planned == INTENT


async def test_nothing_is_planned_under_a_lease_that_redis_lost(store, redis_url):
    claimed = await store.claim(asked("1"))
    async with redis.from_url(redis_url) as raw:
        await raw.flushall()
    with pytest.raises(Temporary) as refused:
        await store.save_intent(claimed.token, asked("1"), INTENT)
    assert refused.value.code is Code.BUSY
    assert (await store.load(REF)).planned is None


async def test_nor_where_another_command_has_it_by_now(store, redis_url):
    claimed = await store.claim(asked("1"))
    async with redis.from_url(redis_url) as raw:
        await raw.flushall()
    other = await store.claim(asked("2"))
    with pytest.raises(Temporary):
        await store.save_intent(claimed.token, asked("1"), INTENT)
    await store.save_intent(other.token, asked("2"), INTENT)
