"""Who sends: a broker that delivers a command again until it is answered for good, REST clients, notifications and ticks."""

import asyncio
import contextlib
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any

import aiohttp

from events.commands import StartRequested, StopRequested
from events.envelope import build
from events.model import ModelRef
from events.wire import to_binary
from functions.local.broker.attempt import Failed, attempt
from functions.local.broker.message import Event, parse
from functions.local.broker.policy import Policy
from schedules.history import History
from schedules.plan import Schedule

DELIVERY_SECONDS = 12.0
"""As the Triggers say (knative/base/triggers.yaml)."""
LONGEST_WAIT_SECONDS = 0.8
SOURCE = "/schedules"
DELIVERY_SECRET = "delivery-secret-of-the-schedules"
REST_SOURCE = "rest:local"
_REFUSED_FOR_GOOD = {"StopInProgress", "InvalidTransition"}
"""Codes of 409; another 409 is a conflict, and comes again."""


class Courier:
    """`urls`: of each process."""

    def __init__(self, session: aiohttp.ClientSession, urls: dict[str, str]) -> None:
        self._session, self._urls = session, urls
        self._in_flight: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._notifications: set[asyncio.Task[Any]] = set()
        self._commands: set[asyncio.Task[Any]] = set()
        self._pings = itertools.count()

    def begin(self, schedule: Schedule, history: History) -> None:
        self._schedule, self._history = schedule, history
        self._dice = random.Random(schedule.seed)
        asked = None if schedule.honours_retry_after else 0.0
        self._policy = Policy(delay=0.05, retry_after_max=asked)

    def command(self, ref: ModelRef, verb: str, key: str, more: dict[str, Any]) -> None:
        """Each copy of it is delivered on its own, as late as it says."""
        send = self._by_rest if more["by"] == "rest" else self._by_event
        for delay in more["delays"]:
            self._start(self._commands, send(ref, verb, key, more["data"], delay))

    async def close(self) -> None:
        tasks = [*self._commands, *self._notifications]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def at_work(self, process: str, key: str, moment: float) -> bool:
        """Whether a delivery of that command is in flight which began before that moment."""
        return any(begun <= moment for begun in self._in_flight[process, key])

    async def all_answered(self, seconds: float) -> bool:
        """Whether every copy of every command was answered for good in time."""
        if not self._commands:
            return True
        _, left = await asyncio.wait(set(self._commands), timeout=seconds)
        for task in left:
            task.cancel()
        return not left

    async def notifications_over(self) -> None:
        if self._notifications:
            await asyncio.wait(set(self._notifications), timeout=5)

    def notification(self, headers: dict[str, str], body: bytes) -> None:
        """From the source: lost, late or delivered."""
        if ".resource." not in headers.get("ce-type", "") or self._dice.random() < self._schedule.notifications_lost:
            return
        self._start(self._notifications, self._notification(parse(headers, body)))

    async def tick(self) -> bool:
        return await self._post("tick", _ping(next(self._pings)), tries=2)

    def tick_beside(self) -> None:
        self._start(self._notifications, self.tick())

    def _start(self, tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _notification(self, event: Event) -> None:
        await asyncio.sleep(self._dice.uniform(0, self._schedule.notifications_delay))
        await self._post("pod_status", event, tries=4)

    def _address(self, function: str) -> str:
        return f"{self._urls[function]}/?delivery={DELIVERY_SECRET}"

    async def _post(self, process: str, event: Event, tries: int) -> bool:
        for tried in range(tries):
            if not isinstance(await attempt(self._session, self._address(process), event, DELIVERY_SECONDS), Failed):
                return True
            await asyncio.sleep(0.1 * 2**tried)
        return False

    async def _by_event(self, ref: ModelRef, verb: str, key: str, data: dict[str, Any], delay: float) -> None:
        event = _event(ref, verb, key, data)
        await asyncio.sleep(delay)
        for failed in itertools.count(1):
            with self._in_flight(verb, key):
                outcome = await attempt(self._session, self._address(verb), event, DELIVERY_SECONDS)
            if not isinstance(outcome, Failed):
                self._history.add("answered", model=ref.name, key=key, process=verb, status=202, accepted=True)
                return
            if not outcome.retried:
                self._history.add("dead-letter", model=ref.name, key=key, process=verb, status=outcome.status)
                return
            self._history.add("not-taken", model=ref.name, key=key, process=verb, why=outcome.reason[:60])
            await asyncio.sleep(self._wait(failed, outcome.retry_after))

    def _wait(self, failed: int, retry_after: float | None) -> float:
        backoff = min(self._policy.wait(min(failed, 10)), LONGEST_WAIT_SECONDS)
        return max(backoff, self._policy.wait(1, retry_after)) * self._dice.uniform(0.6, 1)

    async def _by_rest(self, ref: ModelRef, verb: str, key: str, data: dict[str, Any], delay: float) -> None:
        """A client that repeats its request, Idempotency-Key and all, until it is answered for good."""
        url = f"{self._urls['api']}/api/v1/namespaces/{ref.namespace}/models/{ref.name}/{verb}"
        headers = {"Idempotency-Key": key.partition(" ")[2]}
        await asyncio.sleep(delay)
        for failed in itertools.count(1):
            with self._in_flight("api", key):
                status, body = await self._call(url, data, headers)
            note = {"status": status, **{name: body.get(name) for name in ("recorded", "code", "queued")}}
            if status in {200, 202}:
                self._history.add("answered", model=ref.name, key=key, process="api", accepted=True, **note)
                return
            if status in {400, 404, 422} or (status == 409 and body.get("code") in _REFUSED_FOR_GOOD):
                self._history.add("answered", model=ref.name, key=key, process="api", accepted=False, **note)
                return
            self._history.add("not-taken", model=ref.name, key=key, process="api", **note)
            await asyncio.sleep(self._wait(failed, None))

    async def _call(self, url: str, data: dict[str, Any], headers: dict[str, str]) -> tuple[int | None, dict[str, Any]]:
        try:
            timeout = aiohttp.ClientTimeout(total=DELIVERY_SECONDS)
            async with self._session.post(url, json=data, headers=headers, timeout=timeout) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None, {}

    @contextlib.contextmanager
    def _in_flight(self, process: str, key: str) -> Any:
        begun = time.monotonic()
        self._in_flight[process, key].append(begun)
        try:
            yield
        finally:
            self._in_flight[process, key].remove(begun)


def _event(ref: ModelRef, verb: str, key: str, data: dict[str, Any]) -> Event:
    source, _, identity = key.partition(" ")
    command = (StopRequested if verb == "stop" else StartRequested).model_validate(data)
    headers, body = to_binary(build(command, ref, source=source, id=identity))
    return parse({name.lower(): value for name, value in headers.items()}, body)


def _ping(number: int) -> Event:
    kind = {"ce-type": "dev.knative.sources.ping", "content-type": "application/json"}
    return parse({"ce-specversion": "1.0", "ce-id": f"ping-{number}", "ce-source": "/ping", **kind}, b"{}")
