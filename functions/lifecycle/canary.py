"""The canary as a part of the state: which pods are to be asked, and what is known of each.

A model's owner wants it by an annotation; without one nothing here does anything. Asking is the outside's; a step notes in
the record that it will ask before it does, so that two functions never ask one pod at once.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from functions.lifecycle.observation import CANARY_ANNOTATION, Answered, Observation, Pod
from functions.lifecycle.prediction import CanaryTry, Outcome, Prediction
from functions.lifecycle.record import Record


def canary_of(seen: Observation) -> str | None:
    """A name for the canary that the model's owner wants: another text, another name. None: none is wanted."""
    text = (seen.annotations or {}).get(CANARY_ANNOTATION)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16] if text else None


def without_canary(seen: Observation) -> Observation:
    """For whoever judges a look without a record of what its pods answered."""
    left = {name: text for name, text in (seen.annotations or {}).items() if name != CANARY_ANNOTATION}
    return replace(seen, annotations=left) if canary_of(seen) else seen


def takes_canary(pod: Pod) -> bool:
    """Whether it has its model, or speaks a protocol of its own in which only a canary can tell."""
    if not pod.ready or not pod.serves or pod.deleting or pod.answer is None:
        return False
    return pod.answer.what is Answered.LOADED or pod.answer.own_protocol


def brought(seen: Observation) -> dict[str, Prediction]:
    """What a look that sent the canary brought, by pod."""
    return {pod.uid: pod.prediction for pod in seen.pods if pod.prediction}


def with_brought(seen: Observation, earlier: Mapping[str, Prediction]) -> Observation:
    """With what an earlier look brought, whose record could not be kept: nobody is asked twice for that."""
    pods = (replace(pod, prediction=pod.prediction or earlier.get(pod.uid)) for pod in seen.pods)
    return replace(seen, pods=tuple(pods)) if earlier else seen


def tried(record: Record, seen: Observation) -> dict[str, CanaryTry]:
    """By pod: what was known of those that are still there, with what this look brought."""
    wanted = canary_of(seen)
    if wanted is None or seen.stop_wanted:
        return {}
    found: dict[str, CanaryTry] = {}
    for pod in seen.pods:
        of = _of(wanted, pod)
        before = record.canaries.get(pod.uid)
        before = before if before and before.of == of else None
        if pod.prediction:
            found[pod.uid] = (before or CanaryTry(of=of)).after(pod.prediction, seen.observed_at)
        elif takes_canary(pod) or (before and before.outcome is not Outcome.NOT_ASKED):
            found[pod.uid] = before or CanaryTry(of=of, again_at=seen.observed_at)
    return found


def _of(wanted: str, pod: Pod) -> str:
    """A container that was restarted has loaded again, and what it answered before says nothing."""
    return f"{wanted}-{pod.restarts}" if pod.restarts else wanted


def to_ask(record: Record, seen: Observation) -> tuple[str, ...]:
    """The pods whose turn it is, by uid."""
    now, tries = seen.observed_at, record.canaries
    return tuple(pod.uid for pod in seen.pods if takes_canary(pod) and pod.uid in tries and tries[pod.uid].due(now))


def answers_canary(record: Record, seen: Observation, pod: Pod) -> bool:
    """Whether nothing is left to wait for: it answered well, none is wanted, or it can't be asked."""
    if canary_of(seen) is None or not takes_canary(pod):
        return True
    tried = record.canaries.get(pod.uid)
    return tried is not None and tried.outcome in {Outcome.GOOD, Outcome.UNREACHED}


def next_try(record: Record, now: datetime) -> datetime | None:
    """When a look is due for it alone; one that failed may have become unready, and need not be looked at each second."""
    times = []
    for tried in record.canaries.values():
        if tried.again_at:
            pause = timedelta(seconds=1 if tried.outcome is Outcome.NOT_ASKED else 10)
            times.append(max(tried.again_at, now + pause))
    return min(times, default=None)


def being_asked(record: Record, pods: Iterable[str], now: datetime) -> Record:
    asked = {uid: record.canaries[uid].being_asked(now) for uid in pods}
    return record.model_copy(update={"canaries": {**record.canaries, **asked}})
