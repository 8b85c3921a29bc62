"""Counting what a stop freed: pods are written down while they are seen, and added up when none is left."""

from collections.abc import Mapping
from datetime import datetime

from events.status import PodGrace, Receipt
from functions.lifecycle.observation import Observation, Pod
from functions.lifecycle.quantity import format_memory
from functions.lifecycle.record import Run, SeenPod
from functions.lifecycle.stop_note import LastRunPod

Ledger = dict[str, SeenPod]


def seen_pod(pod: Pod) -> SeenPod:
    """A pod that is bound to no node holds nothing yet, so nothing will be freed.

    A deletion grace of 0 is the kubelet's own last word once the process has ended, not what the pod was given.
    """
    return SeenPod(
        name=pod.name,
        gpus=pod.gpus if pod.holds_resources else 0,
        memory=pod.memory if pod.holds_resources else 0,
        gpus_exact=pod.gpus_exact or not pod.holds_resources,
        given=pod.deletion_grace or None,
        own=pod.grace if pod.node else 0,
        server=pod.server_seconds,
    )


def last_run_pods(seen: Observation) -> tuple[LastRunPod, ...]:
    """What runs when a stop is accepted, as the stop annotation keeps it."""
    return tuple(
        LastRunPod(
            uid=pod.uid,
            name=pod.name,
            component=pod.component,
            gpus=pod.gpus,
            memory=pod.memory,
            grace=pod.grace,
            requests=dict(pod.requests),
            bound=pod.holds_resources,
            gpus_exact=pod.gpus_exact,
        )
        for pod in seen.pods
        if not pod.finished
    )


def merge(ledger: Mapping[str, SeenPod], seen: Observation) -> Ledger:
    """The ledger with what this look and the stop note add; a pod keeps the last grace that was seen on it."""
    merged = dict(ledger)
    for last in seen.stop_note.pods if seen.stop_note else ():
        merged.setdefault(
            last.uid,
            SeenPod(
                name=last.name,
                gpus=last.gpus * last.bound,
                memory=last.memory * last.bound,
                own=last.grace if last.bound else 0,
                gpus_exact=last.gpus_exact or not last.bound,
            ),
        )
    for pod in seen.pods:
        before = merged.get(pod.uid)
        now = seen_pod(pod)
        given = now.given if now.given is not None else before.given if before else None
        gpus, memory = (
            (max(before.gpus, now.gpus), max(before.memory, now.memory)) if before else (now.gpus, now.memory)
        )
        exact = now.gpus_exact if before is None or now.gpus > before.gpus else before.gpus_exact or now.gpus_exact
        merged[pod.uid] = SeenPod(
            name=now.name, gpus=gpus, memory=memory, gpus_exact=exact, given=given, own=now.own, server=now.server
        )
    return merged


def _grace(pod: SeenPod, run: Run) -> int | None:
    return next((value for value in (pod.given, run.grace, pod.own) if value is not None), None)


def _cut_short(pod: SeenPod, grace: int | None) -> int | None:
    """What its server gave requests in flight, where that is less than its grace."""
    return pod.server if pod.server is not None and grace is not None and pod.server < grace else None


def write_receipt(ledger: Mapping[str, SeenPod], run: Run, now: datetime, *, complete: bool) -> Receipt:
    """A pod whose end was not observed got the grace that was pinned for it, or its own: Kubernetes gives that."""
    pods = sorted(ledger.values(), key=lambda pod: pod.name)
    return Receipt(
        pods=len(pods),
        gpus=sum(pod.gpus for pod in pods),
        gpus_exact=all(pod.gpus_exact for pod in pods),
        memory=format_memory(sum(pod.memory for pod in pods)),
        seconds=round((now - run.since).total_seconds(), 3) if run.since else None,
        grace=tuple(
            PodGrace(
                name=pod.name,
                gpus=pod.gpus,
                memory=format_memory(pod.memory),
                grace_seconds=_grace(pod, run),
                server_seconds=_cut_short(pod, _grace(pod, run)),
            )
            for pod in pods
        ),
        stopped_at=now,
        actor=run.actor,
        claimed_actor=run.claimed_actor,
        complete=complete,
    )
