"""A row of the table: what was measured, against what, and whether the goal is met."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

Compared = Literal["ratio", "amount", "difference"]


@dataclass(frozen=True)
class Goal:
    """`compared` says what the limit is for: ours / peer, ours alone, or ours - peer."""

    limit: float
    compared: Compared = "ratio"
    at_least: bool = False

    def text(self, unit: str) -> str:
        sign = "≥" if self.at_least else "≤"
        match self.compared:
            case "ratio":
                return f"{sign} {self.limit:g}×"
            case "amount":
                return f"{sign} {self.limit:g} {unit}"
            case "difference":
                return f"{sign} +{self.limit:g} {unit}"


@dataclass(frozen=True)
class Row:
    """`note` says how it was measured where that matters, and why where the goal is missed."""

    name: str
    against: str
    ours: float
    peer: float | None
    unit: str
    goal: Goal
    rounds: int
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    @property
    def compared(self) -> float:
        match self.goal.compared:
            case "ratio":
                return self.ours / (self.peer or 1)
            case "amount":
                return self.ours
            case "difference":
                return self.ours - (self.peer or 0)

    @property
    def ok(self) -> bool:
        return self.compared >= self.goal.limit if self.goal.at_least else self.compared <= self.goal.limit

    @property
    def of_goal(self) -> float:
        """1 is just met; less is better, whatever the direction of the goal."""
        return self.goal.limit / self.compared if self.goal.at_least else self.compared / self.goal.limit

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "against": self.against,
            "ours": round(self.ours, 3),
            "peer": None if self.peer is None else round(self.peer, 3),
            "unit": self.unit,
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "goal": self.goal.text(self.unit),
            "of_goal": round(self.of_goal, 3),
            "ok": self.ok,
            "rounds": self.rounds,
            "note": self.note,
        }


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


median = statistics.median


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began
