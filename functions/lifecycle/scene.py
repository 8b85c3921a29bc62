"""What the rules of the state table judge: one observation, and what was known before it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from events.status import State
from functions.lifecycle.observation import Answer, Blocker, Mode, Observation, Pod, Trouble
from functions.lifecycle.record import Record
from functions.lifecycle.start_deadline import StartDeadline, start_clock, start_deadline, visibly_loading
from functions.lifecycle.unusable import Unusable
from functions.lifecycle.verification import Verification, Verified, verify

DEFAULT_GRACE_SECONDS = 30
KSERVE_TAKES_AT_MOST = timedelta(seconds=120)
KSERVE_IS_QUIET_AFTER = timedelta(seconds=60)
KSERVE_IS_BUSY_AT_MOST = timedelta(minutes=15)
"""A stop that has waited this long is ignored, however much KServe does besides."""
GRACE_MARGIN = timedelta(seconds=30)
_LATELY = timedelta(minutes=15)
_ENDED_IN_A_ROW = 3
"""As many pods that a node rejects, or evicts, are a crash loop of their own."""
_HAVE_IT = {Verified.YES, Verified.ASLEEP}
_TOO_FEW = "MinimumReplicasUnavailable"
"""A Deployment's reason, for which KServe says Ready=False also while a model that serves is scaled up."""


@dataclass(frozen=True)
class Limits:
    """How long a start may take before it counts as failed."""

    start_deadline: timedelta = timedelta(minutes=15)


@dataclass(frozen=True)
class Scene:
    """What a rule judges: the look, what was known before, and when the present stop or start began."""

    seen: Observation
    record: Record
    limits: Limits

    @property
    def elapsed(self) -> timedelta:
        begun = self._stop_began if self.seen.stop_wanted else self._start_began
        return self.seen.observed_at - (begun or self.seen.observed_at)

    @property
    def _stop_began(self) -> datetime | None:
        return self.record.stop.since if self.record.stop else None

    @property
    def _start_began(self) -> datetime | None:
        """The start or the reload that was asked for; else the youngest pod, or what KServe said last."""
        if self.record.start:
            return self.record.start.since
        if self.record.reload:
            return self.record.reload.run.since
        ready = [pod.ready_since for pod in self.up if pod.ready and pod.ready_since]
        return max(ready, default=self.seen.ready_changed)

    @property
    def start_elapsed(self) -> timedelta:
        begun = self._start_began
        return self.seen.observed_at - start_clock(begun, self.up) if begun else timedelta()

    @cached_property
    def deadline(self) -> StartDeadline:
        return start_deadline(self.seen, self.record, self.limits.start_deadline)

    @property
    def loading(self) -> str | None:
        """What shows that it loads, where it may go on."""
        return visibly_loading(self.up) if self.start_elapsed <= self.deadline.while_loading else None

    @property
    def up(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.seen.pods if not pod.deleting and not pod.finished)

    @property
    def ready_pods(self) -> int:
        return sum(pod.ready for pod in self.up)

    @property
    def troubled(self) -> tuple[tuple[Pod, Trouble], ...]:
        """Pods that can't run; where one after the other is ended before it is ready, those."""
        found = tuple((pod, pod.trouble) for pod in self.up if pod.trouble)
        if found or self.ready_pods or len(self.ended) < _ENDED_IN_A_ROW:
            return found
        return self.ended

    @property
    def ended(self) -> tuple[tuple[Pod, Trouble], ...]:
        """Pods that Kubernetes ended lately, the last first."""
        since = self.seen.observed_at - _LATELY
        found = [(pod, pod.trouble) for pod in self.seen.pods if pod.trouble and pod.trouble.ended]
        lately = [(pod, trouble) for pod, trouble in found if (_last_change(pod) or self.seen.observed_at) >= since]
        return tuple(sorted(lately, key=lambda one: _last_change(one[0]) or since, reverse=True))

    @property
    def held(self) -> bool:
        """By a queue or by spec.suspend, and by nothing else."""
        if self.troubled:
            return all(trouble.held for _, trouble in self.troubled)
        return self.seen.suspended and not self.up

    @property
    def late(self) -> bool:
        """KServe has not acted on the stop for longer than it needs by itself."""
        waits = bool(self.up) or not self.seen.kserve_says_stopped
        return self.seen.stop_wanted and waits and self.elapsed > KSERVE_TAKES_AT_MOST + self.grace

    @property
    def kserve_is_busy(self) -> bool:
        """It works through its queue: it acted on another model lately."""
        moved = self.seen.others_moved
        lately = moved is not None and self.seen.observed_at - moved < KSERVE_IS_QUIET_AFTER
        return lately and self.elapsed < KSERVE_IS_BUSY_AT_MOST

    @property
    def ignored(self) -> Blocker | None:
        """Why KServe won't act on the stop, where that is known before it has had its time."""
        waits = bool(self.up) or not (self.seen.pods or self.seen.kserve_says_stopped)
        return self.seen.stop_blocker if self.seen.stop_wanted and waits else None

    @property
    def grace(self) -> timedelta:
        """The longest that a pod still has, or is going to get."""
        given = [self._asked(pod) if pod.deletion_grace is None else pod.deletion_grace for pod in self.seen.pods]
        return timedelta(seconds=max(given, default=0))

    @property
    def asked_grace(self) -> timedelta:
        """Likewise, for pods whose own is over: Kubernetes sets it to 0 once their processes have ended."""
        return timedelta(seconds=max((pod.deletion_grace or self._asked(pod) for pod in self.overdue), default=0))

    def _asked(self, pod: Pod) -> int:
        note = self.seen.stop_note
        return pod.grace if note is None or note.grace is None else note.grace

    @property
    def overdue(self) -> tuple[Pod, ...]:
        """Pods that are there although their own grace has ended; it begins when KServe acts, not with the stop."""
        ended = self.seen.observed_at - GRACE_MARGIN
        return tuple(pod for pod in self.seen.pods if pod.ends_by and pod.ends_by < ended)

    @property
    def serving(self) -> bool:
        """KServe says Ready and a pod is; or it has a route, and answers, while what is newer, or more of it, comes up."""
        if not any(pod.ready for pod in self.routed_pods):
            return False
        if self.seen.ready is Answer.TRUE or self.seen.failed_revision:
            return True
        more = self.seen.ready is Answer.UNKNOWN or self.seen.ready_reason == _TOO_FEW
        return more and self.seen.routed and self.record.state is State.RUNNING and self.verified in _HAVE_IT

    @property
    def ahead_of_kserve(self) -> bool:
        """A ready pod of each component is there, and the model answers; KServe's Ready comes later, or is stale.

        In Standard mode a ready pod is behind its Service at once. Knative's route is programmed after its pods are ready.
        """
        ready = {pod.component for pod in self.up if pod.ready}
        there = all(any(name.startswith(needed) for name in ready) for needed in self.seen.components)
        standard = self.seen.mode is Mode.STANDARD and bool(self.seen.components)
        return standard and there and self.verified is Verified.YES

    @property
    def routed_pods(self) -> tuple[Pod, ...]:
        """In Knative mode those whose revision has a part of the traffic, where KServe says which has."""
        traffic = self.seen.traffic
        return tuple(pod for pod in self.up if not traffic or pod.revision is None or pod.revision in traffic)

    @cached_property
    def verification(self) -> Verification:
        return verify(self.seen, self.record, [pod for pod in self.routed_pods if pod.ready])

    @property
    def verified(self) -> Verified:
        return self.verification.verified

    @property
    def unreadable(self) -> tuple[Unusable, ...]:
        """What can't be read and is needed to say how the model is.

        On its way down only its pods count, and whatever is in them, they are there or not. Once none is left, what
        KServe says of the stop is needed, and who placed it.
        """
        note = (self.seen.unusable_note,) if self.seen.unusable_note else ()
        if not self.seen.stop_wanted:
            return (*note, *self.seen.unusable)
        if self.seen.pods:
            return ()
        return note if self.seen.kserve_says_stopped else (*note, *self.seen.unusable)

    @property
    def idle_at_zero(self) -> bool:
        """Knative's activator takes requests and wakes it; in Standard mode its autoscaler waits for something else."""
        if self.seen.mode is not Mode.KNATIVE or not self.seen.may_scale_to_zero:
            return False
        return not self.routed_pods if self.seen.failed_revision else self.seen.ready is Answer.TRUE and not self.up


def _last_change(pod: Pod) -> datetime | None:
    """The end of a pod that was ready once shows in its Ready condition; one that a node rejects has none."""
    return pod.ready_since or pod.created


def is_late(seen: Observation) -> bool:
    """Whether it matters if KServe works on other models: its stop may have waited for longer than KServe needs by itself."""
    waits = seen.stop_wanted and (not seen.kserve_says_stopped or any(not pod.deleting for pod in seen.pods))
    return waits and (seen.stop_note is None or seen.observed_at - seen.stop_note.since > KSERVE_TAKES_AT_MOST)
