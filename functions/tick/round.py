"""One tick: finish what a crash left pinned, look where a look is due, publish what waits, resync a few pages.

It works for 2 s; after a loss of Redis for 8 s, until every model was looked at again.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from events.model import ModelRef
from functions.composition import Parts, now
from functions.lifecycle.errors import ClusterUnavailable, StepError
from functions.lifecycle.step import take_hint
from functions.logs import logger
from functions.tick.resync import resync

BUDGET = timedelta(seconds=2)
BUDGET_AFTER_LOSS = timedelta(seconds=8)
_AT_ONCE = 8
_DUE = 500


async def go_round(parts: Parts) -> None:
    """Raises StepError where the cluster or Redis is away: the next tick comes anyway.

    Due looks get half of the time: many models in error must not keep the resync from ever going on. After a loss the
    resync comes first, because it looks at everything, and lists wait for it.
    """
    lost = not await parts.store.synced()
    until = now() + (BUDGET_AFTER_LOSS if lost else BUDGET)
    await _drain(parts, until)
    await _look(parts, await _pinned(parts), until, pinned=True)
    if lost:
        await resync(parts, until)
    await _look(parts, await parts.store.due(now(), _DUE), until if lost else until - BUDGET / 2, pinned=False)
    await parts.sink.flush(until)
    if not lost:
        await resync(parts, until)
    await parts.sink.flush(until + BUDGET)
    await parts.store.index_older()


async def _pinned(parts: Parts) -> list[ModelRef]:
    try:
        return await parts.grace.pinned_models()
    except ClusterUnavailable as error:
        logger().warning("pins not looked for", action="tick", error=error.message)
        return []


async def _drain(parts: Parts, until: datetime) -> None:
    """Commands that wait in lines whose holder is gone. Namespaces take turns; Redis is asked again by what follows."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def drain(ref: ModelRef) -> None:
        async with turns:
            if now() < until:
                await parts.line.drain(ref)

    await asyncio.gather(*(drain(ref) for ref in by_turns(await parts.store.lines(_DUE))))


def by_turns(refs: Iterable[ModelRef]) -> list[ModelRef]:
    """The first of each namespace, then the second of each, and so on."""
    taken: Counter[str] = Counter()
    rounds: list[tuple[int, ModelRef]] = []
    for ref in refs:
        rounds.append((taken[ref.namespace], ref))
        taken[ref.namespace] += 1
    return [ref for _, ref in sorted(rounds, key=lambda item: item[0])]


async def _look(parts: Parts, refs: Iterable[ModelRef], until: datetime, *, pinned: bool) -> None:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def look(ref: ModelRef) -> None:
        async with turns:
            if now() > until:
                return
            try:
                await parts.interpreter.run(take_hint(ref, parts.limits, pinned=pinned))
            except StepError as error:
                logger().warning(error.code, action="tick", model=ref.subject, error=error.message)

    await asyncio.gather(*(look(ref) for ref in refs))
