"""Results of smoke tests, and what is remembered of them: each pod is asked until it has answered well, then no more."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from events.model import Frozen, Moment

LEASE = timedelta(seconds=15)
"""A process that asks has answered by then, or has died."""
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=5)


class Outcome(StrEnum):
    """GOOD: 200 with the shape. BAD: anything else of the server. UNUSABLE: the smoke test is invalid.
    UNREACHED: the pod can't be asked. NOT_ASKED: `said` tells why.
    """

    GOOD = "good"
    BAD = "bad"
    UNUSABLE = "unusable"
    UNREACHED = "unreached"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True)
class Prediction:
    """`said` is short, for a table; `next` is what to do where it is BAD or UNUSABLE, and why where it is UNREACHED.

    `forbidden`: the API server does not let us connect to the pod.
    """

    outcome: Outcome
    said: str
    pod: str = ""
    path: str = ""
    next: str = ""
    forbidden: bool = False

    @property
    def sentence(self) -> str:
        """Which pod, what it was asked, what came back."""
        return f"{self.pod}: POST {self.path}: {self.said}" if self.path else self.said


class SmokeTestTry(Frozen):
    """One pod's result of its model's smoke test. `of` names the smoke test and the life of the pod's containers, so
    that a pod with another smoke test, or with a restarted container, is asked again.

    `failures` in a row; `again_at`: not before then; None once it has answered well. `said` and `next` as the last one
    said: a process that can't reach the pod unsays nothing that another one heard.
    """

    of: str
    outcome: Outcome = Outcome.NOT_ASKED
    failures: int = 0
    again_at: Moment | None = None
    said: str = ""
    next: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome in {Outcome.BAD, Outcome.UNUSABLE}

    def due(self, now: datetime) -> bool:
        return self.again_at is not None and self.again_at <= now

    def being_asked(self, now: datetime) -> "SmokeTestTry":
        return self.model_copy(update={"again_at": now + LEASE})

    def after(self, prediction: Prediction, now: datetime) -> "SmokeTestTry":
        """A pod that fails is asked again after 10 s, 20 s, 40 s, … and at last every 5 minutes: each costs it a prediction."""
        if prediction.outcome is Outcome.GOOD:
            return SmokeTestTry(of=self.of, outcome=Outcome.GOOD, said=prediction.sentence)
        pause = min(_FIRST_PAUSE * 2 ** min(self.failures, 10), _LONGEST_PAUSE)
        if prediction.outcome is Outcome.UNREACHED and self.failed:
            return self.model_copy(update={"failures": self.failures + 1, "again_at": now + pause})
        return SmokeTestTry(
            of=self.of,
            outcome=prediction.outcome,
            failures=self.failures + 1,
            again_at=now + pause,
            said=prediction.sentence,
            next=prediction.next,
        )
