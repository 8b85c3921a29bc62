"""Tokens under attack: what the cluster does not know costs little, and never those who have a valid one."""

import asyncio
import time

import pytest
from aiohttp import web

from functions.adapters.buckets import MOST_ADDRESSES, Buckets
from functions.adapters.identity import (
    KEPT_REFUSALS,
    KEPT_SECONDS,
    UNKNOWN_AT_ONCE,
    ClusterAccess,
    Unauthenticated,
)
from functions.lifecycle.errors import ClusterUnavailable, TooMany


class Clock:
    def __init__(self):
        self.now = time.monotonic()

    def __call__(self):
        return self.now


class Tokens:
    """What the API server knows, and which reviews it was asked for."""

    def __init__(self, api_server):
        self.valid = {"alice-token": "alice", "bob-token": "bob"}
        self.reviewed = []
        self.at_once = self.most_at_once = 0
        self.answering = asyncio.Event()
        self.answering.set()
        api_server.handle = self.answer

    async def answer(self, request):
        token = (await request.json())["spec"]["token"]
        self.reviewed.append(token)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.answering.wait()
        self.at_once -= 1
        user = self.valid.get(token)
        status = {"authenticated": True, "user": {"username": user}, "audiences": ["modelswitch"]} if user else {}
        return web.json_response({"status": status})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def tokens(api_server, access):
    return Tokens(api_server)


@pytest.fixture
async def access(cluster, clock):
    return ClusterAccess(cluster, ("modelswitch",), clock)


async def junk(access, count, address="10.0.0.1", start=0):
    """How many of so many unknown tokens were turned away before a review."""
    limited = 0
    for number in range(start, start + count):
        try:
            await access.authenticate(f"Bearer junk-{number}", address)
        except TooMany as error:
            assert error.retry_after > 0
            limited += 1
        except Unauthenticated:
            pass
    return limited


async def test_an_address_that_sends_unknown_tokens_has_to_wait_and_others_have_not(access, tokens, clock):
    assert await junk(access, UNKNOWN_AT_ONCE + 5) == 5
    assert len(tokens.reviewed) == UNKNOWN_AT_ONCE
    assert (await access.authenticate("Bearer alice-token", "10.0.0.2")).name == "alice"
    with pytest.raises(TooMany):
        await access.authenticate("Bearer bob-token", "10.0.0.1")
    clock.now += 3
    assert (await access.authenticate("Bearer bob-token", "10.0.0.1")).name == "bob"


async def test_who_was_known_before_goes_on_behind_the_same_proxy(access, tokens, clock):
    await access.authenticate("Bearer alice-token", "10.0.0.1")
    await junk(access, UNKNOWN_AT_ONCE + 5)
    clock.now += KEPT_SECONDS
    await junk(access, UNKNOWN_AT_ONCE + 5, start=1000)
    assert (await access.authenticate("Bearer alice-token", "10.0.0.1")).name == "alice"
    del tokens.valid["alice-token"]
    clock.now += KEPT_SECONDS
    with pytest.raises(Unauthenticated):
        await access.authenticate("Bearer alice-token", "10.0.0.1")


async def test_valid_tokens_use_nothing_up(access, tokens, clock):
    for number in range(3 * UNKNOWN_AT_ONCE):
        tokens.valid[f"t{number}"] = "robot"
        await access.authenticate(f"Bearer t{number}", "10.0.0.1")


async def test_unknown_tokens_push_out_no_valid_one(access, tokens):
    await access.authenticate("Bearer alice-token", "10.0.0.2")
    for number in range(KEPT_REFUSALS + 10):
        await junk(access, 1, address=f"10.1.{number // 250}.{number % 250}", start=number)
    reviewed = len(tokens.reviewed)
    await access.authenticate("Bearer alice-token", "10.0.0.2")
    assert len(tokens.reviewed) == reviewed


async def test_one_token_is_reviewed_once_however_many_wait_for_it(access, tokens):
    tokens.answering.clear()
    waiting = [asyncio.create_task(access.authenticate("Bearer alice-token")) for _ in range(20)]
    while not tokens.reviewed:
        await asyncio.sleep(0)
    waiting[0].cancel()
    tokens.answering.set()
    users = await asyncio.gather(*waiting[1:])
    assert {user.name for user in users} == {"alice"}
    assert tokens.reviewed == ["alice-token"]


async def test_reviews_leave_connections_for_everything_else(access, tokens, cluster):
    tokens.answering.clear()
    names = [f"10.2.0.{number}" for number in range(100)]
    waiting = [asyncio.create_task(junk(access, 1, address, number)) for number, address in enumerate(names)]
    while tokens.at_once < 8:
        await asyncio.sleep(0)
    tokens.answering.set()
    await asyncio.gather(*waiting)
    assert tokens.most_at_once == 8


async def test_an_api_server_that_is_away_is_held_against_nobody(access, tokens, api_server):
    async def away(_):
        return web.Response(status=503)

    api_server.handle = away
    for number in range(UNKNOWN_AT_ONCE + 5):
        with pytest.raises(ClusterUnavailable):
            await access.authenticate(f"Bearer t{number}", "10.0.0.1")


def test_the_table_of_addresses_is_bounded_and_an_ipv6_network_is_one(clock):
    buckets = Buckets(1, 1, clock)
    assert buckets.take("2001:db8::1") == 0
    assert buckets.take("2001:db8::ffff") > 0
    assert buckets.take("2001:db8:0:1::1") == 0
    for number in range(MOST_ADDRESSES + 100):
        buckets.take(f"host-{number}")
    assert len(buckets._left) == MOST_ADDRESSES
