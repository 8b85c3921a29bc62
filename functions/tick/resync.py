"""Looking at every model again and again, page by page, whatever events were lost.

A pass lists all models of all kinds, 500 at a time, with the pods that belong to them, and asks those; where a tick's
time ends, the next tick goes on from the cursor in Redis. A pass that took one tick is followed by the next tick's; a
longer one by a pause that is half as long, a minute at most, so that large clusters are not listed all the time.
"""

from collections.abc import Collection, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from pydantic import Field

from events.model import Frozen, Kind, ModelRef, Moment
from functions.adapters.keys import OVERLAP_SECONDS
from functions.adapters.kserve.observer import Page
from functions.adapters.serialization import load_state
from functions.adapters.store import Pass
from functions.adapters.stored import SCHEMA
from functions.composition import Parts, now
from functions.lifecycle.decide import decide
from functions.lifecycle.errors import ClusterRefused, StepError, StoreUnavailable
from functions.lifecycle.observation import Observation
from functions.lifecycle.record import Record
from functions.logs import logger
from functions.object_errors import Stage, count, one_object
from functions.tick.turns import in_turn

LONGEST_REST = timedelta(seconds=60)
REST_PER_TICK = timedelta(seconds=2.5)
"""Of a pass that took several: what no event told is then seen within 15 s where two ticks are enough."""
MOST_CHARACTERS = 64 * 1024
_KINDS = tuple(Kind)
_KNOWN_AT_ONCE = 1000
_OF_A_LOOK = {"version", "pods_version", "observed_at", "since", "pods", "stop", "start"}


class Cursor(Frozen):
    """Where a pass is. `last` is the subject of the last model of this kind that it has met.

    Lists come in the order of namespaces and names, as the known models are kept: so what is known between the last
    model of a page and that of the page before, and is not in the page, is gone. Nothing else must be remembered of a
    pass.

    One of another version that can't be read begins the pass again.
    """

    schema_number: int = Field(default=SCHEMA, alias="schema")
    kind: int = Field(default=0, ge=0, le=len(_KINDS))
    token: str = ""
    ticks: int = Field(default=1, ge=0)
    last: str = ""
    not_before: Moment = Field(default=datetime.fromtimestamp(0, UTC))

    def dump(self) -> str:
        return self.model_copy(update={"schema_number": SCHEMA}).model_dump_json(by_alias=True)


async def resync(parts: Parts, until: datetime) -> None:
    """One tick at a time has the lease. A pass whose data Redis has lost saves nothing, and so never
    ends as complete: the next pass starts over.
    """
    held = await parts.store.take_pass()
    if held is None:
        return
    cursor = load_state(Cursor, held.doc, MOST_CHARACTERS) or Cursor()
    try:
        if now() >= cursor.not_before:
            held = await _go_on(parts, held, cursor, until)
    finally:
        if held:
            await parts.store.save_pass(held, held.doc, ends=True)


async def _go_on(parts: Parts, taken: Pass, cursor: Cursor, until: datetime) -> Pass | None:
    """The lease as it is after the last page that could be saved; None where it was lost."""
    held: Pass | None = taken
    while held and now() < until:
        held, cursor = await _on_in_kind(parts, held, cursor, until)
        if held and cursor.kind >= len(_KINDS):
            await _end_left_pods(parts)
            return await parts.store.save_pass(
                held, Cursor(not_before=now() + rest_after(cursor.ticks)).dump(), completed=True
            )
    if held is None:
        logger().warning("the pass was lost with Redis' data, or taken over", action="resync")
        return None
    return await parts.store.save_pass(held, cursor.model_copy(update={"ticks": cursor.ticks + 1}).dump())


def rest_after(ticks: int) -> timedelta:
    """How long the next pass waits after one that took so many ticks."""
    return min(ticks * REST_PER_TICK, LONGEST_REST) if ticks > 1 else timedelta()


async def _on_in_kind(parts: Parts, held: Pass, cursor: Cursor, until: datetime) -> tuple[Pass | None, Cursor]:
    """A `continue` token that has expired begins the kind again."""
    kind = _KINDS[cursor.kind]
    try:
        async with aclosing(parts.observer.pages(kind, cursor.token, lambda: now() < until)) as pages:
            async for page in pages:
                cursor = await _take(parts, cursor, page)
                saved = await parts.store.save_pass(held, cursor.dump())
                if saved is None:
                    return None, cursor
                held = saved
    except ClusterRefused as error:
        if not cursor.token:
            raise
        logger().info("list token expired; restarting this kind", action="resync", kind=kind, error=error.message)
        cursor = cursor.model_copy(update={"token": "", "last": ""})
    return held, cursor


async def _take(parts: Parts, cursor: Cursor, page: Page) -> Cursor:
    """Where the pass is behind this page."""
    records = await parts.store.records([seen.ref for seen in page.observations])
    news: dict[ModelRef, Observation] = {}
    for seen, record in zip(page.observations, records, strict=True):
        with one_object(Stage.RESYNC, seen.ref.subject):
            if _is_news(parts, record, seen):
                news[seen.ref] = seen
    await _adopt(parts, [news[ref] for ref in in_turn(news)])
    observed = {seen.ref for seen in page.observations}
    kind, last = _KINDS[cursor.kind], max((ref.subject for ref in page.met), default=cursor.last)
    gone = await _gone(parts, kind, cursor.last, last if page.next else None, {ref.subject for ref in page.met})
    # Looked at when their turn comes, each by itself: that forgets what is gone, and ends its last pods.
    await parts.store.make_due([*gone, *(ref for ref in page.met if ref not in observed)], now())
    if page.next:
        return cursor.model_copy(update={"token": page.next, "last": last})
    return cursor.model_copy(update={"kind": cursor.kind + 1, "token": "", "last": ""})


async def _gone(parts: Parts, kind: Kind, after: str, last: str | None, met: Collection[str]) -> list[ModelRef]:
    """Known models of a kind behind `after` up to `last` (None: all of them) that were not met."""
    found: list[ModelRef] = []
    while known := await parts.store.subjects(after, _KNOWN_AT_ONCE):
        for subject in known:
            if last is not None and subject > last:
                return found
            if subject not in met:
                with one_object(Stage.RECORD, subject):
                    ref = ModelRef.from_subject(subject)
                    if ref.kind is kind:
                        found.append(ref)
        after = known[-1]
    return found


def _is_news(parts: Parts, record: Record | None, seen: Observation) -> bool:
    """Whether a step would change anything visible."""
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
    for error, seen in zip(await parts.reconciler.notifications(news), news, strict=True):
        match error:
            case None:
                continue
            case StoreUnavailable():
                raise error
            case StepError():
                logger().warning(error.code, action="resync", model=seen.ref.subject, error=error.message)
            case _:
                count(Stage.RESYNC, seen.ref.subject, error)


async def _end_left_pods(parts: Parts) -> None:
    """Of models that are gone and forgotten, pods that have left their Service: no other code ends those."""
    left = await parts.observer.leaving()
    records = await parts.store.records(left) if left else []
    await parts.store.make_due([ref for ref, record in zip(left, records, strict=True) if record is None], now())
