"""How much is stored: for metrics, and to tell in time that Redis' memory gets short."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from functions.adapters.connection import translated
from functions.adapters.keys import TAG
from functions.adapters.outbox import Outbox

NEAR = 0.7
"""Of maxmemory. Nothing is evicted: at its bound Redis refuses what is to be written, and only stops over REST work."""
_STREAMS = ("history", "refusals", "letters")


@dataclass(frozen=True)
class Memory:
    """In bytes; `bound` 0: Redis has none."""

    used: int
    bound: int

    @property
    def ratio(self) -> float:
        return self.used / self.bound if self.bound else 0.0

    @property
    def warning(self) -> str | None:
        """In words, where it gets short."""
        if self.ratio < NEAR:
            return None
        return (
            f"Redis uses {self.ratio:.0%} of its memory ({self.used >> 20} of {self.bound >> 20} MiB). When it is full, only "
            "stops over REST work. Raise maxmemory, or find out what fills it: docs/reliability.md."
        )


@dataclass(frozen=True)
class Figures:
    """`lengths` of the streams by what is in them, all namespaces together.

    `oldest`: seconds that an event has waited.
    """

    memory: Memory
    lengths: dict[str, int]
    namespaces: int
    models: int
    waiting: int
    oldest: float
    set_aside: int
    dropped: int


async def read_memory(client: Any) -> Memory:
    with translated():
        found = await client.info("memory")
    return Memory(int(found.get("used_memory", 0)), int(found.get("maxmemory", 0)))


async def read_figures(client: Any, outbox: Outbox, namespaces: Sequence[str]) -> Figures:
    counts = await outbox.counts()
    keys = [f"{TAG}:{name}{end}" for name in _STREAMS for end in ("", *(f":{one}" for one in namespaces))]
    with translated():
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.xlen(key)
        pipeline.xlen(f"{TAG}:changes")
        pipeline.xlen(f"{TAG}:outbox-dead")
        pipeline.zcard(f"{TAG}:models")
        *lengths, changes, dead, models = await pipeline.execute()
    each = 1 + len(namespaces)
    by_name = {name: sum(lengths[each * at : each * (at + 1)]) for at, name in enumerate(_STREAMS)}
    return Figures(
        memory=await read_memory(client),
        lengths={**by_name, "changes": changes, "set-aside": dead},
        namespaces=len(namespaces),
        models=models,
        waiting=counts.waiting,
        oldest=(datetime.now(UTC) - counts.oldest).total_seconds() if counts.oldest else 0.0,
        set_aside=counts.set_aside,
        dropped=counts.dropped,
    )
