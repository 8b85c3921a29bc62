"""Many pods of one tenant that hang, beside those of others: the others' are asked all the same."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from hostile_server import MISSING, READY, serving, silence

from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.probe import DirectLine, Probe
from functions.adapters.turns import Turns
from functions.lifecycle.observation import Answered

pytestmark = pytest.mark.timeout(120)
PAGE_SECONDS = 5.0


def a_server(port, uid, namespace, names=("m",)):
    return Server(uid, f"pod-{uid}", namespace, "127.0.0.1", port, False, names, True, (Protocol.V1,))


def healthy(port, count=100, tenants=20):
    return [a_server(port, f"good-{n}", f"tenant-{n % tenants}") for n in range(count)]


def loaded(found):
    return {uid for uid, answer in found.items() if answer.what is Answered.LOADED}


@pytest.fixture
async def probe():
    made = Probe(DirectLine())
    yield made
    await made.close()


async def test_192_silent_pods_of_one_tenant_keep_no_other_tenants_pod_from_being_asked(probe):
    async with serving(otherwise=silence) as (hangs, _), serving(otherwise=READY) as (works, _):
        silent = [a_server(hangs, f"silent-{n}", "hog") for n in range(192)]
        found = await probe.ask([*silent, *healthy(works)], within=PAGE_SECONDS)
    assert loaded(found) == {f"good-{n}" for n in range(100)}


async def test_they_keep_nobody_out_who_asks_later_through_the_same_probe(probe):
    async with serving(otherwise=silence) as (hangs, tally), serving(otherwise=READY) as (works, _):
        hog = asyncio.create_task(
            probe.ask([a_server(hangs, f"silent-{n}", "hog") for n in range(192)], within=PAGE_SECONDS)
        )
        while not tally.now:
            await asyncio.sleep(0.01)
        page, *single = await asyncio.gather(
            probe.ask(healthy(works), within=1.0),
            *(probe.ask([a_server(works, f"one-{n}", f"other-{n}")], within=1.0) for n in range(20)),
        )
        assert not hog.done()
        hog.cancel()
        await asyncio.gather(hog, return_exceptions=True)
    assert len(loaded(page)) == 100
    assert all(loaded(found) for found in single)


async def test_64_pods_with_100_names_that_answer_404_after_a_second_keep_nobody_out(probe):
    names = tuple(f"name-{n}" for n in range(100))
    async with serving(otherwise=MISSING, pause=1.0) as (slow, tally), serving(otherwise=READY) as (works, _):
        hog = [a_server(slow, f"slow-{n}", "hog", names) for n in range(64)]
        found = await probe.ask([*hog, *healthy(works)], within=PAGE_SECONDS)
    assert loaded(found) == {f"good-{n}" for n in range(100)}
    assert len(tally.asked) <= 64 * 12


async def test_a_tenants_own_healthy_pods_get_their_turn_behind_its_silent_ones(probe):
    async with serving(otherwise=silence) as (hangs, _), serving(otherwise=READY) as (works, _):
        servers = [a_server(hangs, f"silent-{n}", "one") for n in range(150)]
        servers += [a_server(works, f"good-{n}", "one") for n in range(20)]
        answered = set()
        for _ in range(5):
            answered |= loaded(await probe.ask(servers, within=2.2))
    assert answered == {f"good-{n}" for n in range(20)}


async def test_whoever_gives_up_waiting_leaves_its_turn_to_others():
    turns = Turns(1, 1)
    entered = []

    async def take(name):
        async with turns.turn("one"):
            entered.append(name)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(turns.turn("one"))
        waits = asyncio.create_task(take("gives up"))
        after = asyncio.create_task(take("waits"))
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
    await after
    assert entered == ["waits"]


async def test_one_that_is_given_a_turn_in_the_moment_in_which_it_gives_up_keeps_none():
    turns = Turns(1, 1)

    async def take():
        async with turns.turn("one"):
            pass

    for steps in range(5):
        task = asyncio.create_task(take())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await take()


async def test_turns_go_round_the_namespaces_that_wait():
    turns, order = Turns(2, 2), []

    async def take(namespace):
        async with turns.turn(namespace):
            order.append(namespace)
            await asyncio.sleep(0)

    await asyncio.gather(*(take("many") for _ in range(6)), take("a"), take("b"), take("c"))
    assert set(order[:5]) == {"many", "a", "b", "c"}
    assert order.count("many") == 6
