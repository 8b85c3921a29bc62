"""Which state a model is in, from one look. The rules stand in one table, first match wins; the docs print it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from events.senders import named
from events.status import State
from functions.lifecycle.observation import Answer, Answered, Blocker, Mode, Observation, Pod, Trouble
from functions.lifecycle.reasons import Reason, advice
from functions.lifecycle.record import Record
from functions.lifecycle.smoke_test import next_try
from functions.lifecycle.start_deadline import StartDeadline, start_clock, start_deadline, visibly_loading
from functions.lifecycle.unusable import Unusable
from functions.lifecycle.verification import Verification, Verified, verify

DEFAULT_GRACE_SECONDS = 30
KSERVE_TAKES_AT_MOST = timedelta(seconds=120)
KSERVE_IS_QUIET_AFTER = timedelta(seconds=60)
KSERVE_IS_BUSY_AT_MOST = timedelta(minutes=15)
"""A stop that has waited this long is ignored, however much KServe does besides."""
GRACE_MARGIN = timedelta(seconds=30)
_LONGEST_PROBLEM = 500
_LATELY = timedelta(minutes=15)
_ENDED_IN_A_ROW = 3
"""As many pods that a node rejects, or evicts, are a crash loop of their own."""
_WAITS_FOR_OTHERS = frozenset({Reason.SCHEDULING_GATED, Reason.SUSPENDED, Reason.AWAITING_SCALER})
"""It may wait for hours."""
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


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


@dataclass(frozen=True)
class Verdict:
    """`what` happened, and what to do `next`."""

    state: State
    reason: str | None = None
    what: str | None = None
    next: str | None = None

    @property
    def message(self) -> str | None:
        return " ".join(_sentence(part) for part in (self.what, self.next) if part) or None


@dataclass(frozen=True)
class Rule:
    """One line of the table. `says` gives reason and message for a scene where `when` holds."""

    condition: str
    state: State
    reasons: str
    when: Callable[[Scene], bool]
    says: Callable[[Scene], tuple[str | None, str | None]]


def count_pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"


def _stop_ignored(scene: Scene) -> tuple[str, str]:
    if scene.ignored:
        return Reason.STOP_IGNORED, f"KServe ignores the stop: {scene.ignored.message}. {scene.ignored.next_action}"
    said = f" KServe says: {scene.seen.trouble.message[:_LONGEST_PROBLEM]}" if scene.seen.trouble else ""
    waited = f"{scene.elapsed.total_seconds():.0f}s"
    return (
        Reason.STOP_IGNORED,
        f"KServe has not acted on the stop for {waited} and {count_pods(len(scene.up))} still run.{said}",
    )


def _kserve_busy(scene: Scene) -> tuple[str, str]:
    waited = f"{scene.elapsed.total_seconds():.0f}s"
    return Reason.KSERVE_BUSY, f"The stop has waited {waited} for KServe, which is working through other models first."


def _unreadable(scene: Scene) -> tuple[str, str]:
    first, more = scene.unreadable[0], len(scene.unreadable) - 1
    others = f" {more} more can't be read either." if more else ""
    return Reason.UNREADABLE, f"{_sentence(str(first)[:_LONGEST_PROBLEM])}{others}"


def _pods_not_gone(scene: Scene) -> tuple[str, str]:
    nodes = ", ".join(sorted({pod.node for pod in scene.overdue if pod.node})) or "no node"
    grace = f"within the grace of {scene.asked_grace.total_seconds():.0f}s"
    kept = [f"{pod.name} has the finalizer {pod.finalizers[0]}" for pod in scene.overdue if pod.finalizers]
    because = f"; {kept[0]}{f', {len(kept) - 1} more have one' if len(kept) > 1 else ''}" if kept else ""
    return Reason.PODS_NOT_GONE, f"{count_pods(len(scene.overdue))} on {nodes} did not end {grace}{because}."


def _draining(scene: Scene) -> tuple[str, str]:
    return (
        Reason.DRAINING,
        f"{count_pods(len(scene.seen.pods))} may finish requests for up to {scene.grace.total_seconds():.0f}s.",
    )


def _stopped(scene: Scene) -> tuple[str, str]:
    stop_note = scene.seen.stop_note
    if stop_note is None or not stop_note.holds:
        actor = scene.seen.stop_actor or "an unknown client"
        return Reason.STOPPED_OUTSIDE, f"Stopped outside modelswitch by {actor}. Start it to run it again."
    hold = stop_note.holds[0]
    why = f": {hold.reason}" if hold.reason else ""
    return Reason.STOPPED_BY_USER, f"Stopped by {named(hold.actor, hold.claimed_actor)}{why}. Start it to run it again."


def _ahead(scene: Scene) -> tuple[str | None, str | None]:
    reason, what = _running(scene)
    said = f": {scene.seen.ready_reason}" if scene.seen.ready_reason else ""
    kserve = f"KServe says Ready={scene.seen.ready.value}{said}"
    if reason:
        return reason, f"{_sentence(what or '')} {kserve}."
    return Reason.KSERVE_BEHIND, f"The model answers; {kserve} still."


def _behind(scene: Scene) -> str | None:
    """Which revision fails beside the one that has the traffic."""
    if scene.seen.failed_revision is None:
        return None
    serving = ", ".join(scene.seen.traffic)
    said = f" ({scene.seen.trouble.message[:_LONGEST_PROBLEM]})" if scene.seen.trouble else ""
    return f"Revision {scene.seen.failed_revision} fails{said}; {serving} has the traffic."


def _idle(scene: Scene) -> tuple[str, str]:
    behind = _behind(scene)
    told = "Idle without pods; the next request wakes it. A stop keeps it down."
    return (Reason.DEGRADED, f"{behind} {told}") if behind else (Reason.SCALED_TO_ZERO, told)


def _running(scene: Scene) -> tuple[str | None, str | None]:
    if behind := _behind(scene):
        return Reason.DEGRADED, behind
    if scene.troubled:
        pod, trouble = scene.troubled[0]
        ready = f"{scene.ready_pods} of {count_pods(len(scene.up))} ready"
        return Reason.DEGRADED, f"{ready}; {pod.name}: {trouble.message}"
    silent = [pod for pod in scene.up if pod.ready and pod.answer and pod.answer.what is Answered.MISSING]
    if silent:
        detail = silent[0].answer.detail if silent[0].answer else ""
        return (
            Reason.DEGRADED,
            f"{len(silent)} of {count_pods(len(scene.up))} without the model; {silent[0].name}: {detail}",
        )
    if asleep := [pod for pod in scene.up if pod.ready and pod.answer and pod.answer.what is Answered.ASLEEP]:
        return (
            Reason.DEGRADED,
            f"{len(asleep)} of {count_pods(len(scene.up))} asleep; {asleep[0].name} answers once it is woken",
        )
    if failing := [tried for pod in scene.up if (tried := scene.record.smoke_tests.get(pod.uid)) and tried.failed]:
        return (
            Reason.DEGRADED,
            f"{len(failing)} of {count_pods(len(scene.up))} fail the smoke test; {failing[0].said}",
        )
    if scene.record.reload:
        return Reason.RELOADING, f"It answers while {scene.record.reload.wanted.uri} is loaded again."
    if scene.seen.canaries:
        told = "; ".join(str(canary) for canary in scene.seen.canaries)
        return Reason.CANARY, f"{told[0].upper()}{told[1:]}."
    return None, None


def _unverified(scene: Scene) -> tuple[str, str]:
    return (
        Reason.UNVERIFIED,
        f"KServe says Ready; whether the model answers could not be asked: {scene.verification.detail}.",
    )


def _asleep(scene: Scene) -> tuple[str, str]:
    return (
        Reason.ASLEEP,
        f"Its server was put to sleep and answers no prediction until it is woken (POST /wake_up): {scene.verification.detail}. "
        "Its pods keep their GPUs reserved; a stop frees them.",
    )


def _missing(scene: Scene) -> tuple[str, str]:
    source = ", ".join(scene.seen.artifacts)
    return (
        Reason.MODEL_MISSING,
        f"KServe says Ready, but {scene.verification.detail}{f' (artifact: {source})' if source else ''}.",
    )


def _smoke_test(scene: Scene) -> tuple[str, str]:
    return Reason.SMOKE_TEST_FAILED, f"KServe says Ready, but its smoke test fails: {scene.verification.detail}."


def _unanswered(scene: Scene) -> tuple[str, str]:
    return Reason.MODEL_NOT_ANSWERING, f"KServe says Ready, but {scene.verification.detail}."


def _members(scene: Scene) -> tuple[str, str]:
    return Reason.MEMBER_NOT_RUNNING, f"Its router is up, but {scene.verification.detail}."


def _pod_trouble(scene: Scene) -> tuple[str, str]:
    pod, trouble = scene.troubled[0]
    return trouble.reason, f"{pod.name}: {trouble.message}{_after_an_end(scene, pod)}"


def _after_an_end(scene: Scene, pod: Pod | None = None) -> str:
    """What became of the pod before this one, where Kubernetes ended it."""
    before = next(((other, trouble) for other, trouble in scene.ended if other is not pod), None)
    return f"; {before[0].name} before it was ended: {before[1].reason}: {before[1].message}" if before else ""


def _held(scene: Scene) -> tuple[str, str]:
    if not scene.troubled:
        return "Suspended", "spec.suspend is true: KServe makes no pods until it is false."
    return _pod_trouble(scene)


def _model_trouble(scene: Scene) -> tuple[str, str]:
    trouble = scene.seen.trouble
    if trouble is None:
        raise ValueError("this rule needs a model in trouble")
    return trouble.reason, trouble.message


def _awaiting_scaler(scene: Scene) -> tuple[str, str]:
    down = scene.seen.scaled_down
    if down is None:
        raise ValueError("this rule needs a workload that is scaled down")
    return (
        Reason.AWAITING_SCALER,
        f"{down.workload} has 0 replicas until its autoscaler ({down.scaler}) wants one; a request does not wake it.",
    )


def _scaled_outside(scene: Scene) -> tuple[str, str]:
    down = scene.seen.scaled_down
    if down is None:
        raise ValueError("this rule needs a workload that is scaled down")
    by = f" by {down.by}" if down.by else ""
    return Reason.SCALED_TO_ZERO_OUTSIDE, f"Deployment {down.workload} is scaled to 0{by}, and KServe leaves it so."


def _deadline(scene: Scene) -> tuple[str, str]:
    return (
        Reason.START_DEADLINE_EXCEEDED,
        f"Not ready after {scene.start_elapsed.total_seconds():.0f}s ({scene.ready_pods} of {count_pods(len(scene.up))} "
        f"ready{_after_an_end(scene)}); its start deadline is {scene.deadline.after.total_seconds():.0f}s ({scene.deadline.source}).",
    )


def _still_loading(scene: Scene) -> tuple[str, str]:
    return (
        Reason.STILL_LOADING,
        f"It loads for longer than its start deadline of {scene.deadline.after.total_seconds():.0f}s "
        f"({scene.deadline.source}). {scene.loading}",
    )


def _starting(scene: Scene) -> tuple[str, str]:
    if scene.seen.kserve_says_stopped:
        return Reason.AWAITING_KSERVE, "The stop is withdrawn; KServe has not made the pods yet."
    if not scene.up:
        return Reason.AWAITING_PODS, f"KServe has not made the pods yet{_after_an_end(scene)}."
    if scene.serving:
        return Reason.VERIFYING, f"KServe says Ready; the model does not answer yet: {scene.verification.detail}."
    if scene.ready_pods == len(scene.up):
        return Reason.AWAITING_ROUTE, "The pods are ready; KServe has not opened the route yet."
    return Reason.PODS_STARTING, f"{scene.ready_pods} of {count_pods(len(scene.up))} ready{_after_an_end(scene)}."


RULES: tuple[Rule, ...] = (
    Rule(
        "being deleted",
        State.STOPPING,
        Reason.DELETING,
        lambda s: s.seen.deleting,
        lambda _: (Reason.DELETING, "The resource is being deleted."),
    ),
    Rule(
        "a field of the model or its pods, or our note on it, can't be read; on its way down only once no pod is left",
        State.ERROR,
        Reason.UNREADABLE,
        lambda s: bool(s.unreadable),
        _unreadable,
    ),
    Rule(
        "stop set, all pods terminating, one for 30 s past its grace",
        State.ERROR,
        Reason.PODS_NOT_GONE,
        lambda s: s.seen.stop_wanted and bool(s.overdue) and not s.up,
        _pods_not_gone,
    ),
    Rule(
        "stop set, KServe is known to ignore it, or does nothing for 120 s and nothing for others either",
        State.ERROR,
        Reason.STOP_IGNORED,
        lambda s: s.ignored is not None or (s.late and not s.kserve_is_busy),
        _stop_ignored,
    ),
    Rule(
        "stop set, KServe does nothing for 120 s, but acted on another model within 60 s (for 15 min at most)",
        State.STOPPING,
        Reason.KSERVE_BUSY,
        lambda s: s.late,
        _kserve_busy,
    ),
    Rule(
        "stop set, pods left",
        State.STOPPING,
        Reason.DRAINING,
        lambda s: s.seen.stop_wanted and bool(s.seen.pods),
        _draining,
    ),
    Rule(
        "stop set, no pod, KServe has not said Stopped",
        State.STOPPING,
        Reason.AWAITING_KSERVE,
        lambda s: s.seen.stop_wanted and not s.seen.kserve_says_stopped,
        lambda _: (Reason.AWAITING_KSERVE, "No pod is left; KServe has not confirmed the stop yet."),
    ),
    Rule(
        "stop set, no pod left, KServe says Stopped",
        State.STOPPED,
        "StoppedByUser, StoppedOutside",
        lambda s: s.seen.stop_wanted,
        _stopped,
    ),
    Rule(
        "KServe says Ready, a ready pod answers for the model",
        State.RUNNING,
        "none, Degraded, Reloading, Canary",
        lambda s: s.serving and s.verified is Verified.YES,
        _running,
    ),
    Rule(
        "Standard mode, a ready pod of each component is there and the model answers, KServe does not say Ready",
        State.RUNNING,
        f"{Reason.KSERVE_BEHIND}, {Reason.DEGRADED}, {Reason.RELOADING}",
        lambda s: s.ahead_of_kserve,
        _ahead,
    ),
    Rule(
        "KServe says Ready, a pod is ready, and no process can ask it",
        State.RUNNING,
        Reason.UNVERIFIED,
        lambda s: s.serving and s.verified is Verified.UNASKABLE,
        _unverified,
    ),
    Rule(
        "KServe says Ready, the ready pods were put to sleep (vLLM)",
        State.RUNNING,
        Reason.ASLEEP,
        lambda s: s.serving and s.verified is Verified.ASLEEP,
        _asleep,
    ),
    Rule(
        "KServe says Ready, the ready pods are without the model for 5 s",
        State.ERROR,
        Reason.MODEL_MISSING,
        lambda s: s.serving and s.verified is Verified.MISSING,
        _missing,
    ),
    Rule(
        "KServe says Ready, no ready pod passes the smoke test that its owner wants",
        State.ERROR,
        Reason.SMOKE_TEST_FAILED,
        lambda s: s.serving and s.verified is Verified.SMOKE_TEST,
        _smoke_test,
    ),
    Rule(
        "KServe says Ready, the ready pods say nothing for 10 s (60 s where they did before)",
        State.ERROR,
        Reason.MODEL_NOT_ANSWERING,
        lambda s: s.serving and s.verified is Verified.UNANSWERED,
        _unanswered,
    ),
    Rule(
        "a graph's router is ready, a model that it needs does not run",
        State.ERROR,
        Reason.MEMBER_NOT_RUNNING,
        lambda s: s.serving and s.verified is Verified.MEMBERS,
        _members,
    ),
    Rule(
        "no pod, an autoscaler that the model names keeps its Deployment at 0",
        State.STARTING,
        Reason.AWAITING_SCALER,
        lambda s: s.seen.scaled_down is not None and s.seen.scaled_down.scaler is not None,
        _awaiting_scaler,
    ),
    Rule(
        "no pod, another client has scaled its Deployment to 0",
        State.ERROR,
        Reason.SCALED_TO_ZERO_OUTSIDE,
        lambda s: s.seen.scaled_down is not None,
        _scaled_outside,
    ),
    Rule(
        "Knative mode, no pod, a request wakes it: KServe says Ready, or a new revision fails beside the one with the traffic",
        State.RUNNING,
        f"{Reason.SCALED_TO_ZERO}, {Reason.DEGRADED}",
        lambda s: s.idle_at_zero,
        _idle,
    ),
    Rule(
        "scheduling gates hold back what does not run, or spec.suspend does",
        State.STARTING,
        f"{Reason.SCHEDULING_GATED}, {Reason.SUSPENDED}",
        lambda s: s.held,
        _held,
    ),
    Rule(
        "a pod can't run: unschedulable, image, crash",
        State.ERROR,
        "Unschedulable, ImagePullBackOff, CrashLoopBackOff, …",
        lambda s: bool(s.troubled),
        _pod_trouble,
    ),
    Rule(
        "KServe says why it can't: quota, runtime, spec",
        State.ERROR,
        "QuotaExceeded, RuntimeNotRecognized, …",
        lambda s: s.seen.trouble is not None,
        _model_trouble,
    ),
    Rule(
        "KServe says Ready in Knative mode, pods on their way",
        State.RUNNING,
        Reason.WAKING,
        lambda s: s.seen.ready is Answer.TRUE and s.seen.mode is Mode.KNATIVE and bool(s.up) and not s.ready_pods,
        lambda _: (Reason.WAKING, "A request is waking it from zero."),
    ),
    Rule(
        "not ready, the start deadline passed, a pod is seen to load (for 4 deadlines at most)",
        State.STARTING,
        Reason.STILL_LOADING,
        lambda s: s.start_elapsed > s.deadline.after and s.loading is not None,
        _still_loading,
    ),
    Rule(
        "not ready, the start deadline passed",
        State.ERROR,
        Reason.START_DEADLINE_EXCEEDED,
        lambda s: s.start_elapsed > s.deadline.after,
        _deadline,
    ),
    Rule(
        "not ready yet",
        State.STARTING,
        "AwaitingKServe, AwaitingPods, PodsStarting, AwaitingRoute, Verifying",
        lambda _: True,
        _starting,
    ),
)


def derive(seen: Observation, record: Record, limits: Limits) -> Verdict:
    """The first rule that holds. `record` gives only the clock: when the present stop or start began."""
    scene = Scene(seen, record, limits)
    rule = next(rule for rule in RULES if rule.when(scene))
    reason, what = rule.says(scene)
    return Verdict(rule.state, reason, what, advice(reason))


def is_late(seen: Observation) -> bool:
    """Whether it matters if KServe works on other models: its stop may have waited for longer than KServe needs by itself."""
    waits = seen.stop_wanted and (not seen.kserve_says_stopped or any(not pod.deleting for pod in seen.pods))
    return waits and (seen.stop_note is None or seen.observed_at - seen.stop_note.since > KSERVE_TAKES_AT_MOST)


def next_look(record: Record, at_once: bool, now: datetime) -> datetime | None:
    """When to look again although no event came. None: the resync is enough."""
    if at_once:
        return now
    match record.state:
        case State.STOPPING | State.STARTING if record.reason not in _WAITS_FOR_OTHERS:
            return now + timedelta(seconds=1)
        case State.STARTING | State.ERROR:
            return now + timedelta(seconds=10)
        case State.RUNNING if record.reload or record.unanswered_since:
            return now + timedelta(seconds=1)
        case _:
            queued = record.queued_reload.due if record.queued_reload else None
            return min((due for due in (queued, next_try(record, now)) if due), default=None)
