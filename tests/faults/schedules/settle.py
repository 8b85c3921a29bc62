"""After the faults: deliver what is left, let the cluster come to rest, tick, and see whether all agree."""

import asyncio
import json
import time
from typing import Any

from functions.adapters.keys import LINES, TAG
from schedules.history import Last
from schedules.kubernetes_proxy import STOP
from schedules.world import World

DELIVER_SECONDS = 120.0
AGREE_SECONDS = 90.0
TICKS = 3
"""One resync is one tick here (a page of a few models). A queued start that the first one carries out needs another,
and one more may have been passed by a look that was in progress.
"""


async def settle(world: World, names: list[str]) -> int:
    """Fills in the history's last word. Returns how many ticks it took once the cluster was at rest."""
    if not await world.courier.all_answered(DELIVER_SECONDS):
        world.history.add("unanswered", note=f"not every delivery was answered within {DELIVER_SECONDS:.0f} s")
    world.history.add("note", text="every delivery is answered")
    await world.courier.notifications_over()
    await world.parts.all_up()
    deadline, ticks, pinned = time.monotonic() + AGREE_SECONDS, 0, True
    disagreements = ["never looked"]
    before: Any = None
    while disagreements and time.monotonic() < deadline and (ticks < TICKS or pinned):
        at_rest = await _at_rest(world, names)
        if await _leases_held(world):
            at_rest = None
        if at_rest is None or at_rest != before:
            ticks, before = 0, at_rest
        if at_rest is None:
            await asyncio.sleep(0.05)
        await world.courier.tick()
        ticks += at_rest is not None
        world.history.add("note", text=f"tick; the cluster is {'' if at_rest else 'not '}at rest")
        pinned = bool(await world.cluster.pinned())
        disagreements = await _disagreements(world, names)
    stop = {name: _stopped(await world.cluster.model(name)) for name in names}
    world.history.last = Last(stop, tuple(disagreements))
    return ticks


async def _leases_held(world: World) -> bool:
    """Commands are in line, or a process has the lease on sending events: where it died, a tick gets that once it expires."""
    return bool(await world.pair.client.zcard(LINES) or await world.pair.client.exists(f"{TAG}:flush"))


def _stopped(item: dict[str, Any]) -> bool:
    return str((item["metadata"].get("annotations") or {}).get(STOP)).lower() == "true"


async def _at_rest(world: World, names: list[str]) -> tuple[Any, ...] | None:
    """What the cluster looks like once its controllers have nothing left to do; None until then."""
    found = []
    for name in names:
        item, pods = await world.cluster.model(name), await world.cluster.pods(name)
        ready = [pod for pod in pods if _is_ready(pod)]
        stopped = _stopped(item)
        conditions = {one["type"]: one["status"] for one in (item.get("status") or {}).get("conditions") or []}
        if stopped != (not pods) or len(ready) != len(pods) or len(pods) > 1:
            return None
        if (conditions.get("Ready") == "True") == stopped or (conditions.get("Stopped") == "True") != stopped:
            return None
        found.append((name, stopped, tuple(pod["metadata"]["uid"] for pod in pods)))
    return tuple(found)


def _is_ready(pod: dict[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions") or [])


async def _disagreements(world: World, names: list[str]) -> list[str]:
    """The records as Redis holds them, and only then as REST shows them, which looks once more."""
    found = [f"{owner} is left pinned" for owner in await world.cluster.pinned()]
    redis, kind = world.pair.client, "inferenceservices"
    for name in names:
        stopped, pods = _stopped(await world.cluster.model(name)), len(await world.cluster.pods(name))
        key = f"{TAG}:model:namespaces/{world.cluster.namespace}/{kind}/{name}"
        doc = json.loads(await redis.hget(key, "doc") or "{}")
        wanted = "stopped" if stopped else "running"
        if (doc.get("state"), doc.get("desired", "running")) != (wanted, wanted) or doc.get("queued"):
            told = {field: doc.get(field) for field in ("state", "reason", "desired", "queued")}
            found.append(f"{name} is to be {wanted} and has {pods} pods; the record says {told}")
        url = f"{world.urls['api']}/api/v1/namespaces/{world.cluster.namespace}/models/{name}/status"
        async with world.session.get(url) as answer:
            state = (await answer.json()).get("state")
        if state != wanted:
            found.append(f"{name} is to be {wanted} and has {pods} pods; REST says {state}")
    if lines := await redis.zcard(LINES):
        found.append(f"{lines} models have commands in line")
    if lanes := await redis.zrange(f"{TAG}:outboxes", 0, -1):
        found.append(f"events are left in the outbox: {', '.join(lanes)}")
    return found
