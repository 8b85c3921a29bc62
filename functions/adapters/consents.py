"""Reading from a Namespace which events it takes."""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from functions.adapters.cluster import Cluster, Missing
from functions.lifecycle.consent import ANNOTATION, LABEL, Consent, Wish
from functions.lifecycle.errors import Refused, StepError

KEPT_SECONDS = 1.0
MOST_KEPT = 1000


@dataclass(frozen=True)
class _Read:
    """`begun` counts reads and questions together: a read answers the questions that were asked before it began."""

    begun: int
    until: float
    found: Consent | StepError


class Consents:
    """What was read answers refusals for a second, so that a flood of them costs few reads; a yes is always read again.

    Questions about one namespace that come while it is read share the next read.
    """

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._count = itertools.count()
        self._kept: OrderedDict[str, _Read] = OrderedDict()
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def ask(self, namespace: str, wish: Wish, source: str, user: str | None) -> tuple[Consent, Refused | None]:
        """What the namespace says, and why this sender may not; None where it may.

        Raises ClusterUnavailable, ClusterRefused.
        """
        asked = next(self._count)
        kept = self._kept.get(namespace)
        if kept and kept.until > self._clock() and isinstance(kept.found, Consent):
            refused = kept.found.refusal(wish, source, user)
            if refused:
                return kept.found, refused
        found = await self._read_since(asked, namespace)
        return found, found.refusal(wish, source, user)

    async def _read_since(self, asked: int, namespace: str) -> Consent:
        reading = self._reading.setdefault(namespace, asyncio.Lock())
        async with reading:
            last = self._kept.get(namespace)
            if last is None or last.begun < asked:
                last = await self._read_once(namespace)
                self._keep(namespace, last)
        if isinstance(last.found, StepError):
            raise last.found
        return last.found

    async def _read_once(self, namespace: str) -> _Read:
        begun = next(self._count)
        found: Consent | StepError
        try:
            found = await self._read(namespace)
        except StepError as error:
            found = error
        return _Read(begun, self._clock() + KEPT_SECONDS, found)

    async def _read(self, namespace: str) -> Consent:
        try:
            metadata = (await self._cluster.get(f"/api/v1/namespaces/{namespace}")).get("metadata") or {}
        except Missing:
            return Consent(namespace, exists=False)
        label = (metadata.get("labels") or {}).get(LABEL)
        return Consent.read(namespace, label, (metadata.get("annotations") or {}).get(ANNOTATION))

    def _keep(self, namespace: str, read: _Read) -> None:
        self._kept.pop(namespace, None)
        self._kept[namespace] = read
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
