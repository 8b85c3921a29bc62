"""The smoke test as a part of the state: which pods are to be asked, and what is known of each.

A model's owner wants it by an annotation; without one nothing here does anything. Asking is the outside's; a step notes in
the record that it will ask before it does, so that two functions never ask one pod at once.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from functions.lifecycle.observation import SMOKE_TEST_ANNOTATION, Answered, Observation, Pod
from functions.lifecycle.prediction import Outcome, Prediction, SmokeTestTry
from functions.lifecycle.record import Record


def smoke_test_of(seen: Observation) -> str | None:
    """A name for the smoke test that the model's owner wants: another text, another name. None: none is wanted."""
    text = (seen.annotations or {}).get(SMOKE_TEST_ANNOTATION)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16] if text else None


def without_smoke_test(seen: Observation) -> Observation:
    """For a caller that judges an observation without a record of what its pods answered."""
    left = {name: text for name, text in (seen.annotations or {}).items() if name != SMOKE_TEST_ANNOTATION}
    return replace(seen, annotations=left) if smoke_test_of(seen) else seen


def takes_smoke_test(pod: Pod) -> bool:
    """Whether it has its model, or speaks a protocol of its own in which only a smoke test can tell."""
    if not pod.ready or not pod.serves or pod.deleting or pod.answer is None:
        return False
    return pod.answer.what is Answered.LOADED or pod.answer.own_protocol


def brought(seen: Observation) -> dict[str, Prediction]:
    """The results of a look that sent the smoke test, by pod."""
    return {pod.uid: pod.prediction for pod in seen.pods if pod.prediction}


def with_brought(seen: Observation, earlier: Mapping[str, Prediction]) -> Observation:
    """With the results of an earlier look whose record could not be kept, so that no pod is asked twice."""
    pods = (replace(pod, prediction=pod.prediction or earlier.get(pod.uid)) for pod in seen.pods)
    return replace(seen, pods=tuple(pods)) if earlier else seen


def tried(record: Record, seen: Observation) -> dict[str, SmokeTestTry]:
    """By pod: what was known of those that are still there, with what this look brought."""
    wanted = smoke_test_of(seen)
    if wanted is None or seen.stop_wanted:
        return {}
    found: dict[str, SmokeTestTry] = {}
    for pod in seen.pods:
        of = _of(wanted, pod)
        before = record.smoke_tests.get(pod.uid)
        before = before if before and before.of == of else None
        if pod.prediction:
            found[pod.uid] = (before or SmokeTestTry(of=of)).after(pod.prediction, seen.observed_at)
        elif takes_smoke_test(pod) or (before and before.outcome is not Outcome.NOT_ASKED):
            found[pod.uid] = before or SmokeTestTry(of=of, again_at=seen.observed_at)
    return found


def _of(wanted: str, pod: Pod) -> str:
    """A container that was restarted has loaded again, and what it answered before says nothing."""
    return f"{wanted}-{pod.restarts}" if pod.restarts else wanted


def to_ask(record: Record, seen: Observation) -> tuple[str, ...]:
    """The pods whose turn it is, by uid."""
    now, tries = seen.observed_at, record.smoke_tests
    return tuple(pod.uid for pod in seen.pods if takes_smoke_test(pod) and pod.uid in tries and tries[pod.uid].due(now))


def passes_smoke_test(record: Record, seen: Observation, pod: Pod) -> bool:
    """Whether nothing is left to wait for: it answered well, none is wanted, or it can't be asked."""
    if smoke_test_of(seen) is None or not takes_smoke_test(pod):
        return True
    tried = record.smoke_tests.get(pod.uid)
    return tried is not None and tried.outcome in {Outcome.GOOD, Outcome.UNREACHED}


def next_try(record: Record, now: datetime) -> datetime | None:
    """When a look is due for it alone; one that failed may have become unready, and need not be looked at each second."""
    times = []
    for tried in record.smoke_tests.values():
        if tried.again_at:
            pause = timedelta(seconds=1 if tried.outcome is Outcome.NOT_ASKED else 10)
            times.append(max(tried.again_at, now + pause))
    return min(times, default=None)


def being_asked(record: Record, pods: Iterable[str], now: datetime) -> Record:
    asked = {uid: record.smoke_tests[uid].being_asked(now) for uid in pods}
    return record.model_copy(update={"smoke_tests": {**record.smoke_tests, **asked}})
