"""Reason and message of each state, for a scene in which its rule holds."""

from events.senders import named
from functions.lifecycle.observation import Answered, Pod
from functions.lifecycle.reasons import Reason
from functions.lifecycle.scene import Scene

_LONGEST_PROBLEM = 500


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def count_pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"


def stop_ignored(scene: Scene) -> tuple[str, str]:
    if scene.ignored:
        return Reason.STOP_IGNORED, f"KServe ignores the stop: {scene.ignored.message}. {scene.ignored.next_action}"
    said = f" KServe says: {scene.seen.trouble.message[:_LONGEST_PROBLEM]}" if scene.seen.trouble else ""
    waited = f"{scene.elapsed.total_seconds():.0f}s"
    return (
        Reason.STOP_IGNORED,
        f"KServe has not acted on the stop for {waited} and {count_pods(len(scene.up))} still run.{said}",
    )


def kserve_busy(scene: Scene) -> tuple[str, str]:
    waited = f"{scene.elapsed.total_seconds():.0f}s"
    return Reason.KSERVE_BUSY, f"The stop has waited {waited} for KServe, which is working through other models first."


def unreadable(scene: Scene) -> tuple[str, str]:
    first, more = scene.unreadable[0], len(scene.unreadable) - 1
    others = f" {more} more can't be read either." if more else ""
    return Reason.UNREADABLE, f"{sentence(str(first)[:_LONGEST_PROBLEM])}{others}"


def pods_not_gone(scene: Scene) -> tuple[str, str]:
    nodes = ", ".join(sorted({pod.node for pod in scene.overdue if pod.node})) or "no node"
    grace = f"within the grace of {scene.asked_grace.total_seconds():.0f}s"
    kept = [f"{pod.name} has the finalizer {pod.finalizers[0]}" for pod in scene.overdue if pod.finalizers]
    because = f"; {kept[0]}{f', {len(kept) - 1} more have one' if len(kept) > 1 else ''}" if kept else ""
    return Reason.PODS_NOT_GONE, f"{count_pods(len(scene.overdue))} on {nodes} did not end {grace}{because}."


def draining(scene: Scene) -> tuple[str, str]:
    return (
        Reason.DRAINING,
        f"{count_pods(len(scene.seen.pods))} may finish requests for up to {scene.grace.total_seconds():.0f}s.",
    )


def stopped(scene: Scene) -> tuple[str, str]:
    stop_note = scene.seen.stop_note
    if stop_note is None or not stop_note.holds:
        actor = scene.seen.stop_actor or "an unknown client"
        return Reason.STOPPED_OUTSIDE, f"Stopped outside modelswitch by {actor}. Start it to run it again."
    hold = stop_note.holds[0]
    why = f": {hold.reason}" if hold.reason else ""
    return Reason.STOPPED_BY_USER, f"Stopped by {named(hold.actor, hold.claimed_actor)}{why}. Start it to run it again."


def ahead(scene: Scene) -> tuple[str | None, str | None]:
    reason, what = running(scene)
    said = f": {scene.seen.ready_reason}" if scene.seen.ready_reason else ""
    kserve = f"KServe says Ready={scene.seen.ready.value}{said}"
    if reason:
        return reason, f"{sentence(what or '')} {kserve}."
    return Reason.KSERVE_BEHIND, f"The model answers; {kserve} still."


def _failing_revision(scene: Scene) -> str | None:
    """Which revision fails beside the one that has the traffic."""
    if scene.seen.failed_revision is None:
        return None
    serving = ", ".join(scene.seen.traffic)
    said = f" ({scene.seen.trouble.message[:_LONGEST_PROBLEM]})" if scene.seen.trouble else ""
    return f"Revision {scene.seen.failed_revision} fails{said}; {serving} has the traffic."


def idle(scene: Scene) -> tuple[str, str]:
    behind = _failing_revision(scene)
    told = "Idle without pods; the next request wakes it. A stop keeps it down."
    return (Reason.DEGRADED, f"{behind} {told}") if behind else (Reason.SCALED_TO_ZERO, told)


def running(scene: Scene) -> tuple[str | None, str | None]:
    if behind := _failing_revision(scene):
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


def unverified(scene: Scene) -> tuple[str, str]:
    return (
        Reason.UNVERIFIED,
        f"KServe says Ready; whether the model answers could not be asked: {scene.verification.detail}.",
    )


def asleep(scene: Scene) -> tuple[str, str]:
    return (
        Reason.ASLEEP,
        f"Its server was put to sleep and answers no prediction until it is woken (POST /wake_up): {scene.verification.detail}. "
        "Its pods keep their GPUs reserved; a stop frees them.",
    )


def model_missing(scene: Scene) -> tuple[str, str]:
    source = ", ".join(scene.seen.artifacts)
    return (
        Reason.MODEL_MISSING,
        f"KServe says Ready, but {scene.verification.detail}{f' (artifact: {source})' if source else ''}.",
    )


def smoke_test_failed(scene: Scene) -> tuple[str, str]:
    return Reason.SMOKE_TEST_FAILED, f"KServe says Ready, but its smoke test fails: {scene.verification.detail}."


def not_answering(scene: Scene) -> tuple[str, str]:
    return Reason.MODEL_NOT_ANSWERING, f"KServe says Ready, but {scene.verification.detail}."


def members_not_running(scene: Scene) -> tuple[str, str]:
    return Reason.MEMBER_NOT_RUNNING, f"Its router is up, but {scene.verification.detail}."


def pod_trouble(scene: Scene) -> tuple[str, str]:
    pod, trouble = scene.troubled[0]
    return trouble.reason, f"{pod.name}: {trouble.message}{_after_an_end(scene, pod)}"


def _after_an_end(scene: Scene, pod: Pod | None = None) -> str:
    """What became of the pod before this one, where Kubernetes ended it."""
    before = next(((other, trouble) for other, trouble in scene.ended if other is not pod), None)
    return f"; {before[0].name} before it was ended: {before[1].reason}: {before[1].message}" if before else ""


def held(scene: Scene) -> tuple[str, str]:
    if not scene.troubled:
        return "Suspended", "spec.suspend is true: KServe makes no pods until it is false."
    return pod_trouble(scene)


def model_trouble(scene: Scene) -> tuple[str, str]:
    trouble = scene.seen.trouble
    if trouble is None:
        raise ValueError("this rule needs a model in trouble")
    return trouble.reason, trouble.message


def awaiting_scaler(scene: Scene) -> tuple[str, str]:
    down = scene.seen.scaled_down
    if down is None:
        raise ValueError("this rule needs a workload that is scaled down")
    return (
        Reason.AWAITING_SCALER,
        f"{down.workload} has 0 replicas until its autoscaler ({down.scaler}) wants one; a request does not wake it.",
    )


def scaled_outside(scene: Scene) -> tuple[str, str]:
    down = scene.seen.scaled_down
    if down is None:
        raise ValueError("this rule needs a workload that is scaled down")
    by = f" by {down.by}" if down.by else ""
    return Reason.SCALED_TO_ZERO_OUTSIDE, f"Deployment {down.workload} is scaled to 0{by}, and KServe leaves it so."


def deadline_exceeded(scene: Scene) -> tuple[str, str]:
    return (
        Reason.START_DEADLINE_EXCEEDED,
        f"Not ready after {scene.start_elapsed.total_seconds():.0f}s ({scene.ready_pods} of {count_pods(len(scene.up))} "
        f"ready{_after_an_end(scene)}); its start deadline is {scene.deadline.after.total_seconds():.0f}s ({scene.deadline.source}).",
    )


def still_loading(scene: Scene) -> tuple[str, str]:
    return (
        Reason.STILL_LOADING,
        f"It loads for longer than its start deadline of {scene.deadline.after.total_seconds():.0f}s "
        f"({scene.deadline.source}). {scene.loading}",
    )


def starting(scene: Scene) -> tuple[str, str]:
    if scene.seen.kserve_says_stopped:
        return Reason.AWAITING_KSERVE, "The stop is withdrawn; KServe has not made the pods yet."
    if not scene.up:
        return Reason.AWAITING_PODS, f"KServe has not made the pods yet{_after_an_end(scene)}."
    if scene.serving:
        return Reason.VERIFYING, f"KServe says Ready; the model does not answer yet: {scene.verification.detail}."
    if scene.ready_pods == len(scene.up):
        return Reason.AWAITING_ROUTE, "The pods are ready; KServe has not opened the route yet."
    return Reason.PODS_STARTING, f"{scene.ready_pods} of {count_pods(len(scene.up))} ready{_after_an_end(scene)}."
