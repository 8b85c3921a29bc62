"""The lane of one Trigger: it ends when it is told to, whatever comes in at that moment."""

import asyncio
import time

import pytest

from functions.local.broker.lane import Lane
from functions.local.broker.queue import Delivery


def delivery(number, due):
    return Delivery(number, number, "broker", "trigger", "subscriber", 0, due, None)


@pytest.mark.parametrize("turns", range(8))
async def test_it_ends_while_something_comes_in(turns):
    """`turns` of the event loop lie between what comes in and the word to end: no moment may swallow that word."""

    async def deliver(_):
        await asyncio.Event().wait()

    lane = Lane(deliver)
    lane.add(delivery(1, time.time() + 3600))
    running = asyncio.create_task(lane.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    lane.add(delivery(2, time.time()))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    ended, _ = await asyncio.wait([running], timeout=5)
    assert ended, "it goes on"
