"""Where a fault comes in: a process' I/Os are counted at the proxies, and at the chosen one something happens.

`before`: the request has left the process and has not been passed on. `after`: it was carried out, and the process has not
heard of it. Both are moments at which a process can die.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Kind = str
REACHES: dict[str, tuple[Kind, ...]] = {
    "kill": ("redis", "api", "sink"),
    "redis-kill": ("redis", "api", "sink"),
    "flushall": ("redis", "api", "sink"),
    "redis-hold": ("redis",),
    "api-429": ("api",),
    "api-500": ("api",),
    "api-drop": ("api",),
    "api-silence": ("api",),
    "sink-500": ("sink",),
}


class Dropped(Exception):
    """This I/O is over: the process died, or its connection is to be closed."""


@dataclass
class Trap:
    """`left`: at which of the process' I/Os it springs, counted from 1; `io` None: of all of them."""

    action: str
    process: str
    left: int
    moment: str = "before"
    io: str | None = None

    def waits_for(self, process: str, kind: Kind, io: str) -> bool:
        return self.process == process and kind in REACHES[self.action] and self.io in {None, io}


@dataclass
class Crossing:
    """One I/O on its way. `traps` spring at it."""

    process: str
    io: str
    traps: list[Trap] = field(default_factory=list)

    def has(self, action: str) -> bool:
        return any(trap.action == action for trap in self.traps)


Spring = Callable[[Trap, Crossing], Awaitable[bool]]


class Traps:
    """`spring` carries an action out, and says whether the I/O is to be dropped."""

    def __init__(self, spring: Spring) -> None:
        self._spring = spring
        self._set: list[Trap] = []
        self.sprung: Counter[tuple[str, str, str, str]] = Counter()
        """(action, process, moment, I/O): how often."""

    def set(self, trap: Trap) -> None:
        self._set.append(trap)

    def clear(self) -> None:
        self._set.clear()

    async def enter(self, process: str, kind: Kind, io: str) -> Crossing:
        """Raises Dropped where a trap ends it here."""
        crossing = Crossing(process, io)
        for trap in list(self._set):
            if trap.waits_for(process, kind, io):
                trap.left -= 1
                if trap.left <= 0:
                    self._set.remove(trap)
                    crossing.traps.append(trap)
        await self._at("before", crossing)
        return crossing

    async def leave(self, crossing: Crossing) -> None:
        await self._at("after", crossing)

    async def _at(self, moment: str, crossing: Crossing) -> None:
        for trap in crossing.traps:
            if trap.moment == moment:
                self.sprung[trap.action, crossing.process, moment, crossing.io] += 1
                if await self._spring(trap, crossing):
                    raise Dropped
