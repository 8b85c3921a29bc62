"""The deliveries of one Trigger, each at its time, several at once: one slow subscriber delays no other Trigger."""

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from functions.local.broker.queue import Delivery

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
TROUBLE_SECONDS = 5.0
AT_ONCE = 50
"""Deliveries in flight at most, as the functions' containerConcurrency."""


class Lane:
    """Sleeps until something is due; `deliver` is called once per delivery handed in.

    `ordered`: deliveries with the same key go one by one, retries and dead letter included, as Knative's Kafka broker
    does for a Trigger with `delivery.order: ordered`.
    """

    def __init__(self, deliver: Callable[[Delivery], Awaitable[None]], *, ordered: bool = False) -> None:
        self._deliver = deliver
        self._ordered = ordered
        self._by_key: dict[str, dict[int, Delivery]] = {}
        self._heap: list[tuple[float, int, Delivery]] = []
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._in_flight: set[asyncio.Task[None]] = set()

    def add(self, delivery: Delivery) -> None:
        if self._ordered and delivery.key:
            same = self._by_key.setdefault(delivery.key, {})
            same[delivery.id] = delivery
            if next(iter(same)) != delivery.id:
                return
        self._push(delivery)

    def _push(self, delivery: Delivery) -> None:
        heapq.heappush(self._heap, (delivery.due, delivery.id, delivery))
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled; deliveries in flight are then cancelled too, and their rows stay."""
        try:
            while True:
                await self._slots.acquire()
                delivery = await self._next_due()
                task = asyncio.create_task(self._one(delivery))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
        finally:
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(*self._in_flight, return_exceptions=True)

    async def _one(self, delivery: Delivery) -> None:
        """A full disk, for one, must not end a delivery that was accepted."""
        try:
            await self._deliver(delivery)
        except Exception:
            log.exception("a delivery failed here, tried again later", action="deliver", trigger=delivery.trigger)
            self.add(replace(delivery, due=time.time() + TROUBLE_SECONDS))
        finally:
            self._let_next(delivery)
            self._slots.release()

    def _let_next(self, delivered: Delivery) -> None:
        """The next delivery of the same key, unless this one was added again: for a retry, or for
        the dead-letter sink.
        """
        same = self._by_key.get(delivered.key or "", {})
        if same.get(delivered.id) is not delivered:
            return
        del same[delivered.id]
        if same:
            self._push(next(iter(same.values())))
        else:
            del self._by_key[delivered.key or ""]

    async def _next_due(self) -> Delivery:
        while True:
            left = self._heap[0][0] - time.time() if self._heap else None
            if left is not None and left <= 0:
                return heapq.heappop(self._heap)[2]
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                continue
