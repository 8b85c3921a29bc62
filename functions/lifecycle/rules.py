"""The state table: which state a model is in, and why. The first rule that holds decides; docs/states.md prints it."""

from collections.abc import Callable
from dataclasses import dataclass

from events.status import State
from functions.lifecycle import state_messages
from functions.lifecycle.observation import Answer, Mode
from functions.lifecycle.reasons import Reason
from functions.lifecycle.scene import Scene
from functions.lifecycle.verification import Verified


@dataclass(frozen=True)
class Rule:
    """One line of the table. `says` gives reason and message for a scene where `when` holds."""

    condition: str
    state: State
    reasons: str
    when: Callable[[Scene], bool]
    says: Callable[[Scene], tuple[str | None, str | None]]


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
        state_messages.unreadable,
    ),
    Rule(
        "stop set, all pods terminating, one for 30 s past its grace",
        State.ERROR,
        Reason.PODS_NOT_GONE,
        lambda s: s.seen.stop_wanted and bool(s.overdue) and not s.up,
        state_messages.pods_not_gone,
    ),
    Rule(
        "stop set, KServe is known to ignore it, or does nothing for 120 s and nothing for others either",
        State.ERROR,
        Reason.STOP_IGNORED,
        lambda s: s.ignored is not None or (s.late and not s.kserve_is_busy),
        state_messages.stop_ignored,
    ),
    Rule(
        "stop set, KServe does nothing for 120 s, but acted on another model within 60 s (for 15 min at most)",
        State.STOPPING,
        Reason.KSERVE_BUSY,
        lambda s: s.late,
        state_messages.kserve_busy,
    ),
    Rule(
        "stop set, pods left",
        State.STOPPING,
        Reason.DRAINING,
        lambda s: s.seen.stop_wanted and bool(s.seen.pods),
        state_messages.draining,
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
        state_messages.stopped,
    ),
    Rule(
        "KServe says Ready, a ready pod answers for the model",
        State.RUNNING,
        "none, Degraded, Reloading, Canary",
        lambda s: s.serving and s.verified is Verified.YES,
        state_messages.running,
    ),
    Rule(
        "Standard mode, a ready pod of each component is there and the model answers, KServe does not say Ready",
        State.RUNNING,
        f"{Reason.KSERVE_BEHIND}, {Reason.DEGRADED}, {Reason.RELOADING}",
        lambda s: s.ahead_of_kserve,
        state_messages.ahead,
    ),
    Rule(
        "KServe says Ready, a pod is ready, and no process can ask it",
        State.RUNNING,
        Reason.UNVERIFIED,
        lambda s: s.serving and s.verified is Verified.UNASKABLE,
        state_messages.unverified,
    ),
    Rule(
        "KServe says Ready, the ready pods were put to sleep (vLLM)",
        State.RUNNING,
        Reason.ASLEEP,
        lambda s: s.serving and s.verified is Verified.ASLEEP,
        state_messages.asleep,
    ),
    Rule(
        "KServe says Ready, the ready pods are without the model for 5 s",
        State.ERROR,
        Reason.MODEL_MISSING,
        lambda s: s.serving and s.verified is Verified.MISSING,
        state_messages.model_missing,
    ),
    Rule(
        "KServe says Ready, no ready pod passes the smoke test that its owner wants",
        State.ERROR,
        Reason.SMOKE_TEST_FAILED,
        lambda s: s.serving and s.verified is Verified.SMOKE_TEST,
        state_messages.smoke_test_failed,
    ),
    Rule(
        "KServe says Ready, the ready pods say nothing for 10 s (60 s where they did before)",
        State.ERROR,
        Reason.MODEL_NOT_ANSWERING,
        lambda s: s.serving and s.verified is Verified.UNANSWERED,
        state_messages.not_answering,
    ),
    Rule(
        "a graph's router is ready, a model that it needs does not run",
        State.ERROR,
        Reason.MEMBER_NOT_RUNNING,
        lambda s: s.serving and s.verified is Verified.MEMBERS,
        state_messages.members_not_running,
    ),
    Rule(
        "no pod, an autoscaler that the model names keeps its Deployment at 0",
        State.STARTING,
        Reason.AWAITING_SCALER,
        lambda s: s.seen.scaled_down is not None and s.seen.scaled_down.scaler is not None,
        state_messages.awaiting_scaler,
    ),
    Rule(
        "no pod, another client has scaled its Deployment to 0",
        State.ERROR,
        Reason.SCALED_TO_ZERO_OUTSIDE,
        lambda s: s.seen.scaled_down is not None,
        state_messages.scaled_outside,
    ),
    Rule(
        "Knative mode, no pod, a request wakes it: KServe says Ready, or a new revision fails beside the one with the traffic",
        State.RUNNING,
        f"{Reason.SCALED_TO_ZERO}, {Reason.DEGRADED}",
        lambda s: s.idle_at_zero,
        state_messages.idle,
    ),
    Rule(
        "scheduling gates hold back what does not run, or spec.suspend does",
        State.STARTING,
        f"{Reason.SCHEDULING_GATED}, {Reason.SUSPENDED}",
        lambda s: s.held,
        state_messages.held,
    ),
    Rule(
        "a pod can't run: unschedulable, image, crash",
        State.ERROR,
        "Unschedulable, ImagePullBackOff, CrashLoopBackOff, …",
        lambda s: bool(s.troubled),
        state_messages.pod_trouble,
    ),
    Rule(
        "KServe says why it can't: quota, runtime, spec",
        State.ERROR,
        "QuotaExceeded, RuntimeNotRecognized, …",
        lambda s: s.seen.trouble is not None,
        state_messages.model_trouble,
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
        state_messages.still_loading,
    ),
    Rule(
        "not ready, the start deadline passed",
        State.ERROR,
        Reason.START_DEADLINE_EXCEEDED,
        lambda s: s.start_elapsed > s.deadline.after,
        state_messages.deadline_exceeded,
    ),
    Rule(
        "not ready yet",
        State.STARTING,
        "AwaitingKServe, AwaitingPods, PodsStarting, AwaitingRoute, Verifying",
        lambda _: True,
        state_messages.starting,
    ),
)
