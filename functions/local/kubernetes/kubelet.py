"""Containers that come up, fail and end, steered by annotations on the pod. It keeps the clock of a pod's grace."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from functions.local.kubernetes import ownership, pod_status
from functions.local.kubernetes.deletion import DeleteOptions, delete
from functions.local.kubernetes.objects import Objects
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.resources import PODS
from functions.local.kubernetes.store import Change, Key, Obj

PREFIX = "sim.modelswitch.dev"
START = f"{PREFIX}/start-seconds"
SHUTDOWN = f"{PREFIX}/shutdown-seconds"
FAIL = f"{PREFIX}/fail"
"""`CrashLoopBackOff`, `OOMKilled`, or a reason of the kubelet's to wait such as `ImagePullBackOff`. One that begins with `Failed`,
such as `FailedMount`, is told by an Event alone. The pod recovers when the annotation goes.
"""
_CRASHES = {"CrashLoopBackOff": "Error", "OOMKilled": "OOMKilled"}
MANAGER = "kubelet"


@dataclass(frozen=True)
class Pace:
    """Seconds that a container takes to be ready and to end where its pod does not say."""

    start: float = 0.5
    shutdown: float = 0.2


@dataclass
class _Run:
    """One pod's life here: when it became ours, when its container ends (both in the loop's seconds)."""

    uid: str
    since: float
    ends: float | None = None
    restarts: int = 0


class Kubelet(Reconciler):
    """All nodes' kubelets. Once a container is told to end, a later change of the grace is not looked at."""

    def __init__(self, objects: Objects, pace: Pace) -> None:
        super().__init__(objects)
        self._pace = pace
        self._runs: dict[Key, _Run] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource is PODS and change.obj["spec"].get("nodeName"):
            yield ownership.key_of(PODS, change.obj)

    def reconcile(self, key: Key) -> float | None:
        pod = self.objects.store.get(PODS, key.namespace, key.name)
        if pod is None:
            self._runs.pop(key, None)
            return None
        run = self._runs.get(key)
        now = asyncio.get_running_loop().time()
        if run is None or run.uid != pod["metadata"]["uid"]:
            run = self._runs[key] = _Run(pod["metadata"]["uid"], now)
            if not _failure(pod).startswith("Failed"):
                ownership.tell(self.objects, pod, "Pulled", "Container image present on machine", MANAGER)
        if pod["metadata"].get("deletionTimestamp"):
            return self._end(pod, run, now)
        return self._run(pod, run, now)

    def _run(self, pod: Obj, run: _Run, now: float) -> float | None:
        failure = _failure(pod)
        left = run.since + _seconds(pod, START, self._pace.start) - now
        if failure and failure not in _CRASHES:
            self._refuse(pod, failure)
            return None
        if left > 0:
            self._write(pod, pod_status.creating(pod))
            return left
        if failure:
            run.restarts = max(run.restarts, 1)
            self._write(pod, pod_status.crash_loop_back_off(pod, run.restarts, _CRASHES[failure]))
            return None
        if not ownership.is_ready(pod):
            self._write(pod, pod_status.running(pod, run.restarts))
            ownership.tell(self.objects, pod, "Started", "Container started", MANAGER)
        return None

    def _refuse(self, pod: Obj, failure: str) -> None:
        """A container that is never started."""
        if not failure.startswith("Failed"):
            pulled = failure == "ImagePullBackOff"
            self._write(pod, pod_status.image_pull_back_off(pod) if pulled else pod_status.waiting(pod, failure))
        elif not pod["status"].get("containerStatuses"):
            self._write(pod, pod_status.creating(pod))
            ownership.tell(self.objects, pod, failure, f"simulated {failure}", MANAGER)

    def _end(self, pod: Obj, run: _Run, now: float) -> float | None:
        """The grace counts that the object showed when the kubelet first saw it."""
        meta = pod["metadata"]
        if run.ends is None:
            took = min(_seconds(pod, SHUTDOWN, self._pace.shutdown), float(meta["deletionGracePeriodSeconds"]))
            run.ends = now + (took if pod_status.has_running_container(pod) else 0.0)
            ownership.tell(self.objects, pod, "Killing", "Stopping container", MANAGER)
        if run.ends > now:
            return run.ends - now
        delete(self.objects, PODS, meta["namespace"], meta["name"], DeleteOptions(grace=0, uid=meta["uid"]))
        return None

    def _write(self, pod: Obj, status: Obj) -> None:
        self.objects.set_status(PODS, pod, status, MANAGER)


def _failure(pod: Obj) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(FAIL) or "")


def _seconds(pod: Obj, annotation: str, otherwise: float) -> float:
    """An annotation's number; what is none counts as not said."""
    try:
        return max(float((pod["metadata"].get("annotations") or {})[annotation]), 0.0)
    except (KeyError, ValueError):
        return otherwise
