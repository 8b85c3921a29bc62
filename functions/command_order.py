"""Commands take their places in a model's line in the order in which they arrived at this process.

Between its arrival and its claim a command is authenticated, its namespace is asked and its body read. A later command can be
through with that first, and then the one that was sent last would lose. So each waits, just before its claim, for those of
the same caller for the same model that arrived before it. No command waits for another caller's, nor for another model's.
"""

import asyncio
from collections import OrderedDict
from itertools import takewhile

from functions.logs import logger

WAIT_SECONDS = 5.0
"""The longest that a command waits for its caller's earlier ones; after that it goes first."""


class Place:
    """One command's place in the queue of its caller and model."""

    def __init__(self, queues: "Queues", caller: str, model: str) -> None:
        self._queues, self._caller, self._model = queues, caller, model
        self.first = asyncio.Event()

    async def turn(self) -> None:
        """Waits until all before it have left; when it has waited too long they are made to.

        So a connection that died in the middle of its request delays one command, not each that comes later.
        """
        try:
            async with asyncio.timeout(self._queues.seconds):
                await self.first.wait()
        except TimeoutError:
            earlier = self._queues.before(self._caller, self._model, self)
            for place in earlier:
                place.leave()
            logger().warning(
                "a command no longer waits for earlier ones of its caller",
                action="order-given-up",
                model=self._model,
                earlier=len(earlier),
                seconds=self._queues.seconds,
            )

    def leave(self) -> None:
        """The command is in the model's line, or will not get there."""
        self._queues.leave(self._caller, self._model, self)


class Queues:
    """One queue for each caller and model, as long as a command is in it."""

    def __init__(self, seconds: float = WAIT_SECONDS) -> None:
        self.seconds = seconds
        self._queues: dict[tuple[str, str], OrderedDict[Place, None]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def join(self, caller: str, model: str) -> Place:
        place = Place(self, caller, model)
        queue = self._queues.setdefault((caller, model), OrderedDict())
        queue[place] = None
        next(iter(queue)).first.set()
        return place

    def before(self, caller: str, model: str, place: Place) -> list[Place]:
        return list(takewhile(lambda one: one is not place, self._queues.get((caller, model), ())))

    def leave(self, caller: str, model: str, place: Place) -> None:
        queue = self._queues.get((caller, model))
        if queue is None or place not in queue:
            return
        del queue[place]
        place.first.set()
        if queue:
            next(iter(queue)).first.set()
        else:
            del self._queues[caller, model]
