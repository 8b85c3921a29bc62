"""Looking at every model again and again, page by page, whatever events were lost.

A pass lists all models of all kinds, 500 at a time, with the pods that belong to them, and asks those; where a tick's
time ends, the next tick goes on from the cursor in Redis. A pass that took one tick is followed by the next tick's; a
longer one by a pause of a minute, so that large clusters are not listed all the time.
"""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from pydantic import Field

from events.model import Frozen, Kind, ModelRef, Moment
from functions.adapters.codec import load_state
from functions.adapters.kserve.lookout import Page
from functions.adapters.layout import OVERLAP_SECONDS
from functions.adapters.store import Pass
from functions.adapters.stored import SCHEMA
from functions.composition import Parts, now
from functions.lifecycle.decide import decide
from functions.lifecycle.errors import ClusterRefused, StoreUnavailable
from functions.lifecycle.observation import Observation
from functions.lifecycle.record import Record
from functions.lifecycle.step import take_hint
from functions.logs import logger

REST_AFTER_A_LONG_PASS = timedelta(seconds=60)
MOST_CHARACTERS = 64 * 1024 * 1024  # the subjects of a million models
_KINDS = tuple(Kind)
_OF_A_LOOK = {"version", "pods_version", "observed_at", "since", "pods", "stop", "start"}


class Cursor(Frozen):
    """Where a pass is. `seen` are the subjects that it has met: what is known beyond them is gone.

    One of another version that can't be read begins the pass again.
    """

    schema_number: int = Field(default=SCHEMA, alias="schema")
    kind: int = Field(default=0, ge=0, le=len(_KINDS))
    token: str = ""
    ticks: int = Field(default=1, ge=0)
    seen: tuple[str, ...] = ()
    not_before: Moment = Field(default=datetime.fromtimestamp(0, UTC))

    def dump(self) -> str:
        return self.model_copy(update={"schema_number": SCHEMA}).model_dump_json(by_alias=True)


async def resync(parts: Parts, until: datetime) -> None:
    """One tick at a time has the turn. A pass whose data Redis has lost meanwhile saves nothing, and so never ends
    as complete: the next one begins anew.
    """
    turn = await parts.store.take_pass()
    if turn is None:
        return
    cursor = load_state(Cursor, turn.doc, MOST_CHARACTERS) or Cursor()
    try:
        if now() >= cursor.not_before:
            turn = await _go_on(parts, turn, cursor, until)
    finally:
        if turn:
            await parts.store.save_pass(turn, turn.doc, ends=True)


async def _go_on(parts: Parts, turn: Pass, cursor: Cursor, until: datetime) -> Pass | None:
    """The turn as it is after the last page that could be saved; None where it was lost."""
    held: Pass | None = turn
    while held and now() < until:
        held, cursor = await _on_in_kind(parts, held, cursor, until)
        if held and cursor.kind >= len(_KINDS):
            await _forget_the_gone(parts, cursor)
            rest = REST_AFTER_A_LONG_PASS if cursor.ticks > 1 else timedelta()
            return await parts.store.save_pass(held, Cursor(not_before=now() + rest).dump(), completed=True)
    if held is None:
        logger().warning("the pass was lost with Redis' data, or taken over", action="resync")
        return None
    return await parts.store.save_pass(held, cursor.model_copy(update={"ticks": cursor.ticks + 1}).dump())


async def _on_in_kind(parts: Parts, turn: Pass, cursor: Cursor, until: datetime) -> tuple[Pass | None, Cursor]:
    """A `continue` token that has expired begins the kind again."""
    held, kind = turn, _KINDS[cursor.kind]
    try:
        async with aclosing(parts.lookout.pages(kind, cursor.token, lambda: now() < until)) as pages:
            async for page in pages:
                cursor = await _take(parts, cursor, page)
                saved = await parts.store.save_pass(held, cursor.dump())
                if saved is None:
                    return None, cursor
                held = saved
    except ClusterRefused as error:
        if not cursor.token:
            raise
        logger().info("page expired; the kind begins again", action="resync", kind=kind, error=error.message)
        cursor = cursor.model_copy(update={"token": ""})
    return held, cursor


async def _take(parts: Parts, cursor: Cursor, page: Page) -> Cursor:
    """Where the pass is behind this page."""
    records = await parts.store.records([seen.ref for seen in page.observations])
    news = [seen for seen, record in zip(page.observations, records, strict=True) if _is_news(parts, record, seen)]
    await _adopt(parts, news)
    seen = (*cursor.seen, *(seen.ref.subject for seen in page.observations))
    if page.next:
        return cursor.model_copy(update={"token": page.next, "seen": seen})
    return cursor.model_copy(update={"kind": cursor.kind + 1, "token": "", "seen": seen})


def _is_news(parts: Parts, record: Record | None, seen: Observation) -> bool:
    """Whether a step would change anything that somebody could see."""
    if record is None or record.uid != seen.uid:
        return True
    overlapping = record.observed_at and seen.observed_at - record.observed_at < timedelta(seconds=OVERLAP_SECONDS)
    if overlapping and (seen.version < record.version or seen.pods_version < record.pods_version):
        return False
    decision = decide(record, seen, None, parts.limits)
    return bool(decision.effects) or decision.record.model_dump(exclude=_OF_A_LOOK) != record.model_dump(
        exclude=_OF_A_LOOK
    )


async def _adopt(parts: Parts, news: Sequence[Observation]) -> None:
    """Raises where Redis is away: the page is then taken again, and the pass is not complete without it."""
    looks = [(take_hint(seen.ref, parts.limits, in_passing=True), seen) for seen in news]
    for error, seen in zip(await parts.interpreter.run_together(looks), news, strict=True):
        if isinstance(error, StoreUnavailable):
            raise error
        if error:
            logger().warning(error.code, action="resync", model=seen.ref.subject, error=error.message)


async def _forget_the_gone(parts: Parts, cursor: Cursor) -> None:
    """Models that the pass has not met: looked at once more, which forgets those that are gone, and ends their last pods."""
    met = set(cursor.seen)
    after = ""
    while known := await parts.store.subjects(after, 1000):
        for subject in known:
            if subject not in met:
                await parts.interpreter.run(take_hint(ModelRef.from_subject(subject), parts.limits))
        after = known[-1]
    for ref in await parts.lookout.leaving():
        if ref.subject not in met:
            await parts.interpreter.run(take_hint(ref, parts.limits))
