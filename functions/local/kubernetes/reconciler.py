"""What all controllers share: a queue of keys to look at again, filled by changes, emptied one look at a time."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable

from functions.local.kubernetes.errors import ApiError
from functions.local.kubernetes.objects import Objects
from functions.local.kubernetes.store import Change, Key

log = logging.getLogger(__name__)
FIRST_RETRY = 0.02
LONGEST_RETRY = 2.0
"""Seconds. The real controllers back off to 16 minutes; a laptop's user would think it broken."""


class Reconciler(ABC):
    """One controller. Level-triggered: `reconcile` looks at the store, never at the change that woke it."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self._due: dict[Key, None] = {}
        self._wake = asyncio.Event()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        objects.store.listen(self._notice)

    @abstractmethod
    def keys(self, change: Change) -> Iterable[Key]:
        """Which objects to look at after a change."""

    @abstractmethod
    def reconcile(self, key: Key) -> float | None:
        """Look and act once; answers after how many seconds to look again, None: at the next change."""

    def add(self, key: Key) -> None:
        self._due[key] = None
        self._wake.set()

    def _notice(self, change: Change) -> None:
        """Called by the writer: an object that this controller can't read is no reason to fail the write."""
        try:
            for key in self.keys(change):
                self.add(key)
        except Exception:
            name = (change.obj.get("metadata") or {}).get("name")
            log.exception("%s: can't read %s %s", type(self).__name__, change.resource.key, name)

    async def run(self) -> None:
        """Work until cancelled; leaves the loop to others after every look."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                key = next(iter(self._due))
                del self._due[key]
                self._look(key)
                await asyncio.sleep(0)

    def _look(self, key: Key) -> None:
        self._cancel(key)
        again: float | None
        try:
            again = self.reconcile(key)
        except ApiError as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            again = min(FIRST_RETRY * 2.0**failures, LONGEST_RETRY)
            log.info("%s: %s %s/%s: %s", type(self).__name__, key.resource.key, key.namespace, key.name, error)
        except Exception:
            again = LONGEST_RETRY
            if key not in self._failures:
                log.exception("%s: %s %s/%s", type(self).__name__, key.resource.key, key.namespace, key.name)
            self._failures[key] = self._failures.get(key, 0) + 1
        else:
            self._failures.pop(key, None)
        if again is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(again, self._again, key)

    def _again(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()
