"""A dead process' claim ends earlier than after its 15 s: nobody is at work under it, so only time is saved.

What a caller is told while it stands (503, come again) is the same, for as long as the schedule says.
"""

import asyncio
import time
from typing import Any

from redis.exceptions import RedisError

from schedules.claims import Lease, orphans

_END = """
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] and redis.call('HGET', KEYS[1], 'state') == 'pending' then
  redis.call('HSET', KEYS[1], 'until', 0)
end
if redis.call('HGET', KEYS[2], 'busy') == ARGV[1] then redis.call('HSET', KEYS[2], 'busy_until', 0) end
"""
_EVERY_SECONDS = 0.05


async def end_orphans(world: Any, after: float) -> None:
    """Until cancelled. Only where nothing that the process sent is still on its way."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        for token, lease in orphans(world.claims, world.courier.at_work):
            since = lease.orphan_since or time.monotonic()
            if time.monotonic() - since >= after and not world.in_flight(lease.process):
                await _end(world, token, lease)


async def _end(world: Any, token: str, lease: Lease) -> None:
    try:
        async with asyncio.timeout(1):
            await world.pair.client.eval(_END, 2, lease.seen_key, lease.model_key, token)
    except (RedisError, OSError, TimeoutError):
        return
    world.claims.give_back(token)
