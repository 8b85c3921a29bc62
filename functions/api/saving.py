"""GPU hours that stops saved: of those that have ended, as the records keep them, and of those that go on, until now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from events.model import ModelRef
from functions.api.overview import Line

HOW = (
    "Of each stop, the GPUs in its receipt (what its pods really held on their nodes) times the hours from the moment when the "
    "last pod was gone until the next start was accepted, or until now."
)
LIMITS = (
    "Kept on each model's record: a model that is deleted takes its sum along, and where Redis' data was lost, counting "
    "starts again with what is stopped then."
)


@dataclass(frozen=True)
class Saving:
    """One model's, or the sum of many. GPU hours and GiB hours; `stops` counts all, `now`: those that go on.

    `since`: when the earliest stop that is counted had freed everything; None where there is none.
    """

    gpu_hours: float = 0.0
    gpu_hours_now: float = 0.0
    gib_hours: float = 0.0
    stops: int = 0
    now: int = 0
    since: datetime | None = None


def saving_of(line: Line, now: datetime) -> Saving:
    earlier, freed = line.earlier, line.freed
    seconds = max(0.0, (now - freed.since).total_seconds()) if freed else 0.0
    present = freed.gpus * seconds / 3600 if freed else 0.0
    memory = (earlier.memory_byte_seconds if earlier else 0) + (freed.memory * seconds if freed else 0)
    return Saving(
        gpu_hours=(earlier.gpu_seconds / 3600 if earlier else 0.0) + present,
        gpu_hours_now=present,
        gib_hours=memory / 2**30 / 3600,
        stops=(earlier.stops if earlier else 0) + (1 if freed else 0),
        now=1 if freed else 0,
        since=earlier.since if earlier else freed.since if freed else None,
    )


def together(savings: Iterable[Saving]) -> Saving:
    listed = list(savings)
    return Saving(
        gpu_hours=sum(one.gpu_hours for one in listed),
        gpu_hours_now=sum(one.gpu_hours_now for one in listed),
        gib_hours=sum(one.gib_hours for one in listed),
        stops=sum(one.stops for one in listed),
        now=sum(one.now for one in listed),
        since=min((one.since for one in listed if one.since), default=None),
    )


def by_model(lines: Iterable[Line], now: datetime) -> list[tuple[ModelRef, Saving]]:
    """Of those that saved GPU hours, the most first."""
    found = [(line.ref, saving_of(line, now)) for line in lines]
    return sorted([one for one in found if one[1].gpu_hours], key=lambda one: -one[1].gpu_hours)
