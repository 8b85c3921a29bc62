"""One object that can't be read or handled costs itself alone: it is counted, logged now and then, and passed over.

Tenants write these objects, so their names are no metric's label, and however many are broken the log stays short.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from prometheus_client import Counter

from functions.logs import logger

LOGGED_AGAIN_SECONDS = 3600.0
KEPT = 1000
"""Objects whose last log line is remembered; of more than that within an hour the rest is only counted."""
_LONGEST = 300

ERRORS = Counter(
    "modelswitch_object_errors_total",
    "Objects that could not be read or handled, and were passed over; the log names them.",
    ["stage"],
)


class Stage(StrEnum):
    """Where an object was when it failed. The last six are parts of the timer's round, which failed as a whole."""

    MODEL = "model"
    POD = "pod"
    PIN = "pin"
    DUE = "due"
    RESYNC = "resync"
    LEFT_POD = "left-pod"
    LISTED = "listed"
    QUOTA = "quota"
    RECORD = "record"
    PINS = "pins"
    DUE_MODELS = "due-models"
    OUTBOX = "outbox"
    ALL_MODELS = "all-models"
    LINES = "lines"
    HISTORY = "history"


class _Told:
    """What was logged lately, oldest first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def is_due(self, key: tuple[str, str]) -> bool:
        now = self._clock()
        while self._at and now - next(iter(self._at.values())) >= LOGGED_AGAIN_SECONDS:
            self._at.popitem(last=False)
        if key in self._at or len(self._at) >= KEPT:
            return False
        self._at[key] = now
        return True


_TOLD = _Told()


def count(stage: Stage, subject: str, problem: object) -> None:
    """`subject` names the object for a person, `problem` says what is wrong with it, or is the exception."""
    ERRORS.labels(stage).inc()
    subject = subject[:_LONGEST]
    if _TOLD.is_due((stage, subject)):
        said = f"{type(problem).__name__}: {problem}" if isinstance(problem, BaseException) else str(problem)
        logger().warning("object passed over", action=stage, object=subject, error=ascii(said[:_LONGEST]))


@contextmanager
def one_object(stage: Stage, subject: str) -> Iterator[None]:
    """Whatever is raised inside concerns this object alone: RecursionError and MemoryError too, but no cancellation."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the point of it
        count(stage, subject, error)
