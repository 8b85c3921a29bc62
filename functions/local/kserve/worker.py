"""One worker per controller, as KServe runs it: one object at a time, each at most once in the queue."""

import asyncio
from collections.abc import Awaitable, Callable

from functions.local.kserve.cluster import ApiError

Key = tuple[str, str]
"""Namespace and name."""

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 15.0


class ReconcileError(Exception):
    """The object can't be reconciled now: said in the log, tried again later."""


class Worker:
    """Calls `reconcile` with each key that was added; it may return the seconds after which it wants to look again."""

    def __init__(self, name: str, reconcile: Callable[[str, str], Awaitable[float | None]]) -> None:
        self._name = name
        self._reconcile = reconcile
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def add(self, key: Key) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            self._queue.put_nowait(key)

    async def run(self) -> None:
        while True:
            key = await self._queue.get()
            self._waiting.discard(key)
            delay = await self._once(key)
            if timer := self._timers.pop(key, None):
                timer.cancel()
            if delay is not None:
                self._timers[key] = asyncio.get_running_loop().call_later(delay, self.add, key)

    async def _once(self, key: Key) -> float | None:
        try:
            delay = await self._reconcile(*key)
        except Exception as error:  # noqa: BLE001 - one object that can't be read must not stop the others
            return self._retry(key, error)
        self._failures.pop(key, None)
        return delay

    def _retry(self, key: Key, error: Exception) -> float:
        """A conflict means only that another writer was faster: retry at once, without a log line."""
        if isinstance(error, ApiError) and error.reason == "Conflict":
            return FIRST_RETRY_SECONDS
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        if failures in {1, 10}:
            print(f"kserve: {self._name} {'/'.join(key)}: {error!s} ({type(error).__name__})", flush=True)
        return min(FIRST_RETRY_SECONDS * 2.0 ** (failures - 1), LAST_RETRY_SECONDS)
