"""From acceptance to the last word: who gets an event, what follows from each attempt, what is left after a restart."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp
import structlog

from functions.local.broker.attempt import Delivered, Failed, attempt
from functions.local.broker.lane import Lane
from functions.local.broker.manifests import Broker, Trigger
from functions.local.broker.message import Event
from functions.local.broker.meters import DELIVERIES
from functions.local.broker.queue import Delivery, Queue

Key = tuple[str, str]
KEEP_ALIVE_SECONDS = 1.0
"""Shorter than any subscriber's (gunicorn's 2 s): a connection that it closes just when it is used again is a lost attempt."""
log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Dispatcher:
    """`run` delivers until cancelled; `accept` may be called any time."""

    def __init__(self, brokers: Sequence[Broker], queue: Queue) -> None:
        self._brokers = {broker.path: broker for broker in brokers}
        self._triggers: dict[Key, Trigger] = {
            (broker.path, trigger.name): trigger for broker in brokers for trigger in broker.triggers
        }
        self._queue = queue
        self._lanes = {key: Lane(self._deliver, ordered=trigger.ordered) for key, trigger in self._triggers.items()}
        self._session: aiohttp.ClientSession | None = None

    def accept(self, broker: str, event: Event, answers: int = 0) -> int:
        """Commits the event to every Trigger that matches; returns how many. `answers`: the delivery it replies to."""
        arrival = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        stamped = event if "knativearrivaltime" in event.attributes else event.extended(knativearrivaltime=arrival)
        matching = [trigger.name for trigger in self._brokers[broker].triggers if trigger.matches(event.attributes)]
        for delivery in self._queue.put(broker, stamped, matching, time.time(), answers):
            self._schedule(delivery)
        return len(matching)

    async def run(self) -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
        ) as self._session:
            self._resume()
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes.values():
                    group.create_task(lane.run())

    def _resume(self) -> None:
        left = self._queue.waiting()
        for delivery in left:
            if (delivery.broker, delivery.trigger) in self._lanes:
                self._schedule(delivery)
            else:
                log.warning("dropped: the manifests have no such trigger", action="resume", trigger=delivery.trigger)
                self._queue.done(delivery)
        if left:
            log.info("deliveries left by the last run go on", action="resume", count=len(left))

    def _schedule(self, delivery: Delivery) -> None:
        self._lanes[delivery.broker, delivery.trigger].add(delivery)

    async def _deliver(self, delivery: Delivery) -> None:
        assert self._session is not None
        trigger = self._triggers[delivery.broker, delivery.trigger]
        event = self._queue.event(delivery)
        url = trigger.subscriber if delivery.stage == "subscriber" else trigger.dead_letter
        if url is None:  # the manifests lost their dead-letter sink since this was queued
            self._queue.done(delivery)
            return
        outcome = await attempt(self._session, url, event, trigger.policy.timeout)
        if isinstance(outcome, Delivered):
            self._delivered(delivery, outcome)
        else:
            self._failed(delivery, trigger, url, event, outcome)

    def _delivered(self, delivery: Delivery, outcome: Delivered) -> None:
        DELIVERIES.labels(delivery.trigger, delivery.stage, "delivered").inc()
        if outcome.reply and delivery.stage == "subscriber":
            self.accept(delivery.broker, outcome.reply, answers=delivery.id)
        else:
            self._queue.done(delivery)

    def _failed(self, delivery: Delivery, trigger: Trigger, url: str, event: Event, outcome: Failed) -> None:
        failed = delivery.failed + 1
        line = log.bind(
            action="deliver",
            trigger=delivery.trigger,
            stage=delivery.stage,
            type=event.attributes["type"],
            event_id=event.attributes["id"],
            reason=outcome.reason,
        )
        if outcome.retried and failed <= trigger.policy.retries:
            wait = trigger.policy.wait(failed, outcome.retry_after)
            DELIVERIES.labels(delivery.trigger, delivery.stage, "retried").inc()
            line.info("tried again later", attempt=failed, of=trigger.policy.retries + 1, seconds=round(wait, 1))
            self._schedule(self._queue.again(delivery, time.time() + wait))
        elif delivery.stage == "subscriber" and trigger.dead_letter:
            DELIVERIES.labels(delivery.trigger, delivery.stage, "dead-lettered").inc()
            line.warning("goes to the dead-letter sink", attempts=failed)
            self._schedule(self._queue.dead_letter(delivery, outcome.extensions(url), time.time()))
        else:
            DELIVERIES.labels(delivery.trigger, delivery.stage, "dropped").inc()
            line.error("dropped: no subscriber accepted it", attempts=failed)
            self._queue.done(delivery)
