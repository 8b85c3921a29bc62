"""Namespaces take turns: however much work one of them has, the next one's first piece waits for a turn, not for all of
it.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable

from events.model import ModelRef


class Queues:
    """What waits, by namespace, each in the order in which it came."""

    def __init__(self, refs: Iterable[ModelRef]) -> None:
        self._waiting: dict[str, deque[ModelRef]] = {}
        for ref in refs:
            self._waiting.setdefault(ref.namespace, deque()).append(ref)
        self._order = deque(self._waiting)
        self._busy: Counter[str] = Counter()

    def take(self, at_once: int) -> ModelRef | None:
        """The next one.

        While others wait, one namespace has at most half of what is done side by side: its own may be slow.
        """
        most = at_once if len(self._order) == 1 else max(1, at_once // 2)
        for _ in range(len(self._order)):
            namespace = self._order.popleft()
            if self._busy[namespace] < most:
                break
            self._order.append(namespace)
        else:
            return None
        waiting = self._waiting[namespace]
        ref = waiting.popleft()
        if waiting:
            self._order.append(namespace)
        self._busy[namespace] += 1
        return ref

    def done(self, ref: ModelRef) -> None:
        self._busy[ref.namespace] -= 1


def in_turn(refs: Iterable[ModelRef]) -> list[ModelRef]:
    """The first of each namespace, then the second of each, and so on."""
    queues, ordered = Queues(refs), []
    while ref := queues.take(at_once=1):
        ordered.append(ref)
        queues.done(ref)
    return ordered


async def work_in_turns(refs: Iterable[ModelRef], at_once: int, work: Callable[[ModelRef], Awaitable[None]]) -> None:
    """Each once, so many side by side. `work` raises nothing that concerns one model alone."""
    queues = Queues(refs)

    async def work_on() -> None:
        while ref := queues.take(at_once):
            try:
                await work(ref)
            finally:
                queues.done(ref)

    await asyncio.gather(*(work_on() for _ in range(at_once)))
