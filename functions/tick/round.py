"""One tick: finish what a crash left pinned, look where a look is due, publish what waits, resync a few pages.

It works for about 2 s; after a loss of Redis for 8 s, until every model was looked at again.
"""

from collections import Counter
from collections.abc import Awaitable, Iterable
from datetime import datetime, timedelta

from events.model import ModelRef
from functions.composition import Parts, now
from functions.lifecycle.errors import ClusterUnavailable, StepError, StoreUnavailable
from functions.logs import logger
from functions.object_errors import Stage, count
from functions.tick.resync import resync
from functions.tick.turns import work_in_turns

BUDGET = timedelta(seconds=2)
BUDGET_AFTER_LOSS = timedelta(seconds=8)
LOOK_AGAIN = timedelta(seconds=10)
"""At a model whose look failed: so that those behind it get their turns."""
_AT_ONCE = 8
_DUE_OF_A_NAMESPACE = 500
_DUE_PAGE = 2000
_DUE_AT_MOST = 100_000


async def go_round(parts: Parts) -> None:
    """Each part by itself: what fails in one keeps none of the others from running.

    What concerns one object ends nothing.

    Due looks get half of the time: many models in error must not keep the resync from ever going on. After a loss the
    resync comes first, because it looks at everything, and lists wait for it. Whatever that found gone is looked at
    last.

    Raises:
        StepError: the cluster or Redis was away for a part; the next tick comes anyway.

    """
    lost = not await parts.store.synced()
    until = now() + (BUDGET_AFTER_LOSS if lost else BUDGET)
    failed: list[StepError] = []

    async def part(stage: Stage, work: Awaitable[None]) -> None:
        try:
            await work
        except StepError as error:
            failed.append(error)
        except Exception as error:  # noqa: BLE001 - the other parts are for all models
            count(stage, "this part of the timer's round", error)
            logger().exception("part of the round failed", action="tick", part=stage)

    await part(Stage.LINES, _drain(parts, now() + BUDGET / 4))
    await part(Stage.PINS, _finish_pins(parts, now() + BUDGET / 4))
    if lost:
        await part(Stage.ALL_MODELS, resync(parts, until))
    await part(Stage.DUE_MODELS, _look_at_due(parts, _at_least(until if lost else until - BUDGET / 2)))
    await part(Stage.OUTBOX, _flush(parts, _at_least(until)))
    if not lost:
        await part(Stage.ALL_MODELS, resync(parts, _at_least(until)))
    await part(Stage.DUE_MODELS, _look_at_due(parts, _at_least(until)))
    await part(Stage.OUTBOX, _flush(parts, _at_least(until + BUDGET)))
    await part(Stage.HISTORY, _index(parts))
    await parts.installations.say()
    if failed:
        raise failed[0]


def _at_least(until: datetime) -> datetime:
    """Until then, and for a quarter of the time in any case: a tenant's thousand pins must not
    leave the others none.
    """
    return max(until, now() + BUDGET / 4)


async def _flush(parts: Parts, until: datetime) -> None:
    await parts.sink.flush(until)


async def _finish_pins(parts: Parts, until: datetime) -> None:
    try:
        pinned = await parts.grace.pinned_models()
    except ClusterUnavailable as error:
        logger().warning("pins not looked for", action="tick", error=error.message)
        return
    await _look(parts, pinned, until, pinned=True)


async def _look_at_due(parts: Parts, until: datetime) -> None:
    await _look(parts, await _due(parts), until, pinned=False)


async def _due(parts: Parts) -> list[ModelRef]:
    """The longest due of each namespace: those of one must not fill the list."""
    found: list[ModelRef] = []
    of_each: Counter[str] = Counter()
    for start in range(0, _DUE_AT_MOST, _DUE_PAGE):
        page = await parts.store.due(now(), _DUE_PAGE, start)
        for ref in page:
            of_each[ref.namespace] += 1
            if of_each[ref.namespace] <= _DUE_OF_A_NAMESPACE:
                found.append(ref)
        if not page:
            break
    return found


async def _index(parts: Parts) -> None:
    await parts.store.index_older()


async def _drain(parts: Parts, until: datetime) -> None:
    """Commands in lines whose holder is gone, for a quarter of the time. A line that was tried goes last."""

    async def drain(ref: ModelRef) -> None:
        left = (until - now()).total_seconds()
        if left > 0:
            await parts.line.drain(ref, left)

    await work_in_turns(await parts.store.lines(_DUE_PAGE), _AT_ONCE, drain)


async def _look(parts: Parts, refs: Iterable[ModelRef], until: datetime, *, pinned: bool) -> None:
    async def look(ref: ModelRef) -> None:
        if now() > until:
            return
        try:
            await parts.reconciler.notification(ref, pinned=pinned)
        except (StoreUnavailable, ClusterUnavailable) as error:
            logger().warning(error.code, action="tick", model=ref.subject, error=error.message)
        except Exception as error:  # noqa: BLE001 - one model's object, whatever is in it
            count(Stage.DUE, ref.subject, error)
            await _postpone(parts, ref)

    await work_in_turns(refs, _AT_ONCE, look)


async def _postpone(parts: Parts, ref: ModelRef) -> None:
    try:
        await parts.store.postpone(ref, now() + LOOK_AGAIN)
    except StoreUnavailable as error:
        logger().warning(error.code, action="tick", model=ref.subject, error=error.message)
