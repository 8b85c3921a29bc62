"""How long a model may take to start before that counts as a failure: large ones load for most of an hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.duration import parse_duration
from functions.lifecycle.observation import START_DEADLINE_ANNOTATION, Observation, Pod
from functions.lifecycle.record import Record, Run

LEARNT_STARTS = 5
"""How many of its latest starts count."""
_TIMES_A_LEARNT_START = 2
_LOADS_AT_MOST = 4
"""A model that is seen to load fails after so many deadlines: a download may hang for ever."""
_LONGEST = timedelta(days=7)


@dataclass(frozen=True)
class StartDeadline:
    """`after` the start began, or its last pod was placed on a node. `source` is for a person."""

    after: timedelta
    source: str

    @property
    def while_loading(self) -> timedelta:
        """Where its pods are seen to load."""
        return self.after * _LOADS_AT_MOST


def start_deadline(seen: Observation, record: Record, default: timedelta) -> StartDeadline:
    """Its owner's annotation; else the longest of the default, its startup probe and twice its slowest recent start."""
    text = (seen.annotations or {}).get(START_DEADLINE_ANNOTATION)
    wanted = _read(text)
    if wanted:
        return StartDeadline(wanted, f"annotation {START_DEADLINE_ANNOTATION}")
    probe = timedelta(seconds=max((pod.startup_seconds for pod in seen.pods), default=0))
    learnt = timedelta(seconds=max(record.start_seconds, default=0) * _TIMES_A_LEARNT_START)
    longest = max(default, probe, learnt)
    source = "START_DEADLINE of the installation"
    if longest == learnt and learnt > default:
        source = "twice its slowest recent start"
    elif longest == probe and probe > default:
        source = "its startup probe"
    if text is not None:
        source += f"; the annotation {START_DEADLINE_ANNOTATION} is not a duration such as 45m, up to 7d: {text[:40]!r}"
    return StartDeadline(longest, source)


def _read(text: str | None) -> timedelta | None:
    try:
        seconds = parse_duration(text) if text is not None else 0
    except ValueError:
        return None
    return timedelta(seconds=seconds) if 0 < seconds <= _LONGEST.total_seconds() else None


def start_clock(since: datetime, pods: Sequence[Pod]) -> datetime:
    """From when on it counts: a pod that waited for a node loads nothing before it has one."""
    return max(since, *(pod.scheduled_at or since for pod in pods)) if pods else since


def visibly_loading(pods: Sequence[Pod]) -> str | None:
    """What of it shows that it loads; None where nothing does."""
    return next((f"{pod.name}: {pod.loading}" for pod in pods if pod.loading), None)


def learnt(known: tuple[float, ...], run: Run | None, pods: Sequence[Pod], now: datetime) -> tuple[float, ...]:
    """With a start that has just ended well."""
    if run is None or run.since is None:
        return known
    took = (now - start_clock(run.since, [pod for pod in pods if pod.ready])).total_seconds()
    return (*known, round(took, 3))[-LEARNT_STARTS:] if took > 0 else known
