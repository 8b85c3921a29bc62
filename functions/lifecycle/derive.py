"""Which state a model is in, from one look. The rules stand in one table, first match wins; the docs print it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from events.senders import named
from events.status import State
from functions.lifecycle.observation import Answer, Answered, Mode, Observation, Pod, Trouble
from functions.lifecycle.reasons import advice
from functions.lifecycle.record import Record
from functions.lifecycle.smoke_test import next_try
from functions.lifecycle.unusable import Unusable
from functions.lifecycle.verification import Verification, Verified, verify

DEFAULT_GRACE_SECONDS = 30
KSERVE_TAKES_AT_MOST = timedelta(seconds=120)
GRACE_MARGIN = timedelta(seconds=30)
_LONGEST_PROBLEM = 500
_LATELY = timedelta(minutes=15)
_ENDED_IN_A_ROW = 3
"""As many pods that a node rejects, or evicts, are a crash loop of their own."""
_HELD = frozenset({"SchedulingGated", "Suspended"})
"""It may wait for hours."""
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
    def grace(self) -> timedelta:
        seconds = [pod.grace if pod.deletion_grace is None else pod.deletion_grace for pod in self.seen.pods]
        return timedelta(seconds=max(seconds, default=0))

    @property
    def serving(self) -> bool:
        """KServe says Ready and a pod is; or it has a route, and answers, while what is newer, or more of it, comes up."""
        if not self.ready_pods:
            return False
        if self.seen.ready is Answer.TRUE:
            return True
        more = self.seen.ready is Answer.UNKNOWN or self.seen.ready_reason == _TOO_FEW
        return more and self.seen.routed and self.record.state is State.RUNNING and self.verified is Verified.YES

    @cached_property
    def verification(self) -> Verification:
        return verify(self.seen, self.record, [pod for pod in self.up if pod.ready])

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
        return self.seen.ready is Answer.TRUE and not self.up and self.seen.may_scale_to_zero


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
    return (
        "StopIgnored",
        f"KServe has not acted on the stop for {scene.elapsed.total_seconds():.0f}s and {count_pods(len(scene.up))} still "
        "run.",
    )


def _unreadable(scene: Scene) -> tuple[str, str]:
    first, more = scene.unreadable[0], len(scene.unreadable) - 1
    others = f" {more} more can't be read either." if more else ""
    return "Unreadable", f"{_sentence(str(first)[:_LONGEST_PROBLEM])}{others}"


def _pods_not_gone(scene: Scene) -> tuple[str, str]:
    nodes = ", ".join(sorted({pod.node for pod in scene.seen.pods if pod.node})) or "no node"
    return (
        "PodsNotGone",
        f"{count_pods(len(scene.seen.pods))} on {nodes} did not end within the grace of {scene.grace.total_seconds():.0f}s.",
    )


def _draining(scene: Scene) -> tuple[str, str]:
    return (
        "Draining",
        f"{count_pods(len(scene.seen.pods))} may finish requests for up to {scene.grace.total_seconds():.0f}s.",
    )


def _stopped(scene: Scene) -> tuple[str, str]:
    stop_note = scene.seen.stop_note
    if stop_note is None or not stop_note.holds:
        actor = scene.seen.stop_actor or "an unknown client"
        return "StoppedOutside", f"Stopped outside modelswitch by {actor}. Start it to run it again."
    hold = stop_note.holds[0]
    why = f": {hold.reason}" if hold.reason else ""
    return "StoppedByUser", f"Stopped by {named(hold.actor, hold.claimed_actor)}{why}. Start it to run it again."


def _running(scene: Scene) -> tuple[str | None, str | None]:
    if scene.troubled:
        pod, trouble = scene.troubled[0]
        ready = f"{scene.ready_pods} of {count_pods(len(scene.up))} ready"
        return "Degraded", f"{ready}; {pod.name}: {trouble.message}"
    silent = [pod for pod in scene.up if pod.ready and pod.answer and pod.answer.what is Answered.MISSING]
    if silent:
        detail = silent[0].answer.detail if silent[0].answer else ""
        return "Degraded", f"{len(silent)} of {count_pods(len(scene.up))} without the model; {silent[0].name}: {detail}"
    if failing := [tried for pod in scene.up if (tried := scene.record.smoke_tests.get(pod.uid)) and tried.failed]:
        return (
            "Degraded",
            f"{len(failing)} of {count_pods(len(scene.up))} fail the smoke test; {failing[0].said}",
        )
    if scene.record.reload:
        return "Reloading", f"It answers while {scene.record.reload.wanted.uri} is loaded again."
    if scene.seen.canaries:
        told = "; ".join(str(canary) for canary in scene.seen.canaries)
        return "Canary", f"{told[0].upper()}{told[1:]}."
    return None, None


def _unverified(scene: Scene) -> tuple[str, str]:
    return (
        "Unverified",
        f"KServe says Ready; whether the model answers could not be asked: {scene.verification.detail}.",
    )


def _missing(scene: Scene) -> tuple[str, str]:
    source = ", ".join(scene.seen.artifacts)
    return (
        "ModelMissing",
        f"KServe says Ready, but {scene.verification.detail}{f' (artifact: {source})' if source else ''}.",
    )


def _smoke_test(scene: Scene) -> tuple[str, str]:
    return "SmokeTestFailed", f"KServe says Ready, but its smoke test fails: {scene.verification.detail}."


def _unanswered(scene: Scene) -> tuple[str, str]:
    return "ModelNotAnswering", f"KServe says Ready, but {scene.verification.detail}."


def _members(scene: Scene) -> tuple[str, str]:
    return "MemberNotRunning", f"Its router is up, but {scene.verification.detail}."


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


def _deadline(scene: Scene) -> tuple[str, str]:
    return (
        "StartDeadlineExceeded",
        f"Not ready after {scene.elapsed.total_seconds():.0f}s ({scene.ready_pods} of {count_pods(len(scene.up))} ready"
        f"{_after_an_end(scene)}).",
    )


def _starting(scene: Scene) -> tuple[str, str]:
    if scene.seen.kserve_says_stopped:
        return "AwaitingKServe", "The stop is withdrawn; KServe has not made the pods yet."
    if not scene.up:
        return "AwaitingPods", f"KServe has not made the pods yet{_after_an_end(scene)}."
    if scene.serving:
        return "Verifying", f"KServe says Ready; the model does not answer yet: {scene.verification.detail}."
    if scene.ready_pods == len(scene.up):
        return "AwaitingRoute", "The pods are ready; KServe has not opened the route yet."
    return "PodsStarting", f"{scene.ready_pods} of {count_pods(len(scene.up))} ready{_after_an_end(scene)}."


RULES: tuple[Rule, ...] = (
    Rule(
        "being deleted",
        State.STOPPING,
        "Deleting",
        lambda s: s.seen.deleting,
        lambda _: ("Deleting", "The resource is being deleted."),
    ),
    Rule(
        "a field of the model or its pods, or our note on it, can't be read; on its way down only once no pod is left",
        State.ERROR,
        "Unreadable",
        lambda s: bool(s.unreadable),
        _unreadable,
    ),
    Rule(
        "stop set, pods terminating past their grace",
        State.ERROR,
        "PodsNotGone",
        lambda s: s.seen.stop_wanted and bool(s.seen.pods) and not s.up and s.elapsed > s.grace + GRACE_MARGIN,
        _pods_not_gone,
    ),
    Rule(
        "stop set, KServe does nothing for 120 s",
        State.ERROR,
        "StopIgnored",
        lambda s: (
            s.seen.stop_wanted
            and (bool(s.up) or not s.seen.kserve_says_stopped)
            and s.elapsed > KSERVE_TAKES_AT_MOST + s.grace
        ),
        _stop_ignored,
    ),
    Rule(
        "stop set, pods left",
        State.STOPPING,
        "Draining",
        lambda s: s.seen.stop_wanted and bool(s.seen.pods),
        _draining,
    ),
    Rule(
        "stop set, no pod, KServe has not said Stopped",
        State.STOPPING,
        "AwaitingKServe",
        lambda s: s.seen.stop_wanted and not s.seen.kserve_says_stopped,
        lambda _: ("AwaitingKServe", "No pod is left; KServe has not confirmed the stop yet."),
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
        "KServe says Ready, a pod is ready, and no process can ask it",
        State.RUNNING,
        "Unverified",
        lambda s: s.serving and s.verified is Verified.UNASKABLE,
        _unverified,
    ),
    Rule(
        "KServe says Ready, the ready pods are without the model for 5 s",
        State.ERROR,
        "ModelMissing",
        lambda s: s.serving and s.verified is Verified.MISSING,
        _missing,
    ),
    Rule(
        "KServe says Ready, no ready pod passes the smoke test that its owner wants",
        State.ERROR,
        "SmokeTestFailed",
        lambda s: s.serving and s.verified is Verified.SMOKE_TEST,
        _smoke_test,
    ),
    Rule(
        "KServe says Ready, the ready pods say nothing for 10 s (60 s where they did before)",
        State.ERROR,
        "ModelNotAnswering",
        lambda s: s.serving and s.verified is Verified.UNANSWERED,
        _unanswered,
    ),
    Rule(
        "a graph's router is ready, a model that it needs does not run",
        State.ERROR,
        "MemberNotRunning",
        lambda s: s.serving and s.verified is Verified.MEMBERS,
        _members,
    ),
    Rule(
        "KServe says Ready, no pod, the autoscaler may wake it",
        State.RUNNING,
        "ScaledToZero",
        lambda s: s.idle_at_zero,
        lambda _: ("ScaledToZero", "Idle without pods; the next request wakes it. A stop keeps it down."),
    ),
    Rule(
        "scheduling gates hold back what does not run, or spec.suspend does",
        State.STARTING,
        "SchedulingGated, Suspended",
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
        "Waking",
        lambda s: s.seen.ready is Answer.TRUE and s.seen.mode is Mode.KNATIVE and bool(s.up) and not s.ready_pods,
        lambda _: ("Waking", "A request is waking it from zero."),
    ),
    Rule(
        "not ready, the start deadline passed",
        State.ERROR,
        "StartDeadlineExceeded",
        lambda s: s.elapsed > s.limits.start_deadline,
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


def next_look(record: Record, at_once: bool, now: datetime) -> datetime | None:
    """When to look again although no event came. None: the resync is enough."""
    if at_once:
        return now
    match record.state:
        case State.STOPPING | State.STARTING if record.reason not in _HELD:
            return now + timedelta(seconds=1)
        case State.STARTING | State.ERROR:
            return now + timedelta(seconds=10)
        case State.RUNNING if record.reload or record.unanswered_since:
            return now + timedelta(seconds=1)
        case _:
            queued = record.queued_reload.due if record.queued_reload else None
            return min((due for due in (queued, next_try(record, now)) if due), default=None)
