"""How an old pod makes room for the new ones in a rolling reload, so that no request fails.

Kubernetes ends an old pod the moment a new one is Ready, and tells its Service at the same time: requests meet a closed
port, or a new server without its model. Here an old pod is kept until new ones answer. When its ReplicaSet then wants
fewer, it leaves its Service first, and ends when every client knows.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from events.model import Kind
from functions.lifecycle.decision import Decision
from functions.lifecycle.effects import DeletePod, Effect, MarkPod
from functions.lifecycle.observation import Answered, Handover, Mode, Observation, Pod
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.smoke_test import passes_smoke_test

LEAVES_FOR = timedelta(seconds=10)
"""From a pod's leaving its Service to its end: proxies learn of it within a second, CoreDNS may be believed for five."""
_BESIDE_THE_MODEL = frozenset({"transformer", "explainer"})


def settled(record: Record, seen: Observation, pod: Pod) -> bool:
    """It serves in place of an old pod: nothing that it was asked speaks against it."""
    return pod.ready and answers(pod) and passes_smoke_test(record, seen, pod)


def answers(pod: Pod) -> bool:
    return pod.answer is not None and pod.answer.what in {Answered.LOADED, Answered.ASLEEP, Answered.UNASKABLE}


def keep_old_pods(seen: Observation) -> tuple[MarkPod, ...]:
    """Before the reload: the pods that serve. In Knative mode queue-proxy lets them leave, and a revision is kept."""
    if seen.ref.kind is not Kind.INFERENCE_SERVICE or seen.mode is not Mode.STANDARD:
        return ()
    return tuple(_mark(seen, pod, Handover.KEPT) for pod in seen.pods if _can_be_kept(seen, pod))


def hand_over(known: Decision, seen: Observation, planned: Intent | None) -> Decision:
    """What is due now with the pods that are kept, or leave. Everything is read off the pods themselves."""
    if known.effects or known.again:
        return known
    late = _keep_late_ones(seen) if known.record.reload else ()
    effects = (*late, *end_left(seen), *_let_go(seen, planned), *_leave(known.record, seen))
    return replace(known, effects=effects)


def end_left(seen: Observation) -> Iterable[DeletePod]:
    """The pods that have left their Service for long enough; at once if they serve no requests, or the model is to go."""
    for pod in seen.pods:
        if pod.handover is not Handover.LEAVING or pod.terminating:
            continue
        gone_for = seen.observed_at - pod.left_at if pod.left_at else LEAVES_FOR
        if _is_to_go(seen) or not pod.ready or gone_for >= LEAVES_FOR:
            yield DeletePod(seen.ref, pod.name, pod.uid)


def next_handover(record: Record, seen: Observation) -> datetime | None:
    """When to look again for it; None where nothing is handed over. After a failed reload a pod may be kept for long."""
    in_progress = {pod.handover for pod in seen.pods} - {None}
    if not in_progress:
        return None
    soon = Handover.LEAVING in in_progress or record.reload is not None or seen.stop_wanted
    return seen.observed_at + timedelta(seconds=1 if soon else 10)


def _keep_late_ones(seen: Observation) -> Iterable[MarkPod]:
    """Old pods that were made when the reload had begun, or all of them if another actor began it."""
    return () if _is_to_go(seen) else (mark for mark in keep_old_pods(seen) if mark.uid in _old(seen))


def _old(seen: Observation) -> set[str]:
    return {pod.uid for pod in seen.pods if pod.digest != seen.digest}


def _can_be_kept(seen: Observation, pod: Pod) -> bool:
    """Pods of one Deployment whose ReplicaSet makes room for another's; a worker of a group ends with its head.

    One that is not ready yet is kept too: it may be the next moment, and then Kubernetes is faster. So is one that is too
    busy to say whether it has its model; one that says it has not serves no requests.
    """
    rolls = pod.owner is not None and pod.owner.kind == "ReplicaSet" and pod.component not in seen.recreated
    takes_requests = pod.serves or pod.component in _BESIDE_THE_MODEL
    without_it = pod.answer is not None and pod.answer.what is Answered.MISSING
    return rolls and takes_requests and not (without_it or pod.deleting or pod.finished or pod.handover)


def _let_go(seen: Observation, planned: Intent | None) -> Iterable[Effect]:
    """Kept for a reload that never came, or of a model that is to stop."""
    beginning = planned and planned.verb == "reload" and planned.may_be_at_work(seen.observed_at)
    for pod in _kept(seen):
        if _is_to_go(seen) or (pod.digest == seen.digest and not beginning):
            yield _mark(seen, pod, None)


def _leave(record: Record, seen: Observation) -> Iterable[Effect]:
    """As many of each ReplicaSet as it wants no more; but a new pod that does not answer replaces none."""
    if _is_to_go(seen):
        return
    new = [pod for pod in seen.pods if pod.serves and pod.ready and not pod.deleting and pod.digest == seen.digest]
    useless = sum(not settled(record, seen, pod) for pod in new)
    for owner, wanted in seen.wanted.items():
        old = [pod for pod in _kept(seen) if pod.owner and pod.owner.uid == owner and pod.digest != seen.digest]
        stay = wanted + (useless if any(pod.serves for pod in old) else 0)
        for pod in sorted(old, key=lambda pod: (pod.ready, pod.name))[: max(0, len(old) - stay)]:
            yield _mark(seen, pod, Handover.LEAVING)


def _kept(seen: Observation) -> list[Pod]:
    return [pod for pod in seen.pods if pod.handover is Handover.KEPT and not pod.terminating]


def _is_to_go(seen: Observation) -> bool:
    return seen.stop_wanted or seen.deleting or not seen.exists


def _mark(seen: Observation, pod: Pod, handover: Handover | None) -> MarkPod:
    return MarkPod(seen.ref, pod.name, pod.uid, handover, seen.observed_at)
