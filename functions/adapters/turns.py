"""Turns at something that only a few may use at once, shared fairly between namespaces.

A turn that is free goes to the namespace that holds the fewest of those that wait, in rotation. So a thousand pods of
one tenant that hang take no turn from another tenant for longer than it takes one of them to be given up.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """`most` at once, of them `most_of_one` for one namespace: what is left is for others that come while it holds
    those.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self._free = most
        self._most_of_one = most_of_one
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._planned = False

    @asynccontextmanager
    async def turn(self, namespace: str) -> AsyncIterator[None]:
        await self._wait(namespace)
        try:
            yield
        finally:
            self._give_back(namespace)

    async def _wait(self, namespace: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(mine)
        self._plan()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._give_back(namespace)  # it was given in this very moment
            raise

    def _give_back(self, namespace: str) -> None:
        self._free += 1
        self._held[namespace] -= 1
        if not self._held[namespace]:
            del self._held[namespace]
        self._plan()

    def _plan(self) -> None:
        """Turns are given once all who ask in this moment stand in line: the first of them is no
        more than the others.
        """
        if not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._give)

    def _give(self) -> None:
        self._planned = False
        while self._free and (namespace := self._next()) is not None:
            line = self._waiting.pop(namespace)
            next_one = line.popleft()
            if line:
                self._waiting[namespace] = line  # at the end: in rotation
            if not next_one.done():
                self._free -= 1
                self._held[namespace] += 1
                next_one.set_result(None)

    def _next(self) -> str | None:
        fewest, found = self._most_of_one, None
        for namespace in self._waiting:
            held = self._held.get(namespace, 0)
            if held < fewest:
                fewest, found = held, namespace
            if not fewest:
                break
        return found
