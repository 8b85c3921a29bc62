"""Pods to nodes, by what is left of CPU, memory, GPUs and pods. A pod counts until its object is gone."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from functions.local.kubernetes import clock, demand, ownership, quantities
from functions.local.kubernetes.managed_fields import Actor
from functions.local.kubernetes.objects import Objects
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.resources import NODES, PODS
from functions.local.kubernetes.store import Change, Key, Obj

SCHEDULER = "default-scheduler"
MANAGER = "kube-scheduler"


class Scheduler(Reconciler):
    """First come, first served; a pod that does not fit waits until resources are freed."""

    def __init__(self, objects: Objects) -> None:
        self._used: dict[str, dict[str, Decimal]] = defaultdict(dict)
        self._waiting: dict[Key, None] = {}
        super().__init__(objects)

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource is NODES:
            yield from self._waiting
        if change.resource is not PODS:
            return
        self._count(change.before, -1)
        if change.kind != "DELETED":
            self._count(change.obj, 1)
        key = ownership.key_of(PODS, change.obj)
        if change.kind == "DELETED" or not ownership.is_active(change.obj):
            self._waiting.pop(key, None)
            yield from list(self._waiting)
        elif not change.obj["spec"].get("nodeName"):
            yield key

    def reconcile(self, key: Key) -> float | None:
        pod = self.objects.store.get(PODS, key.namespace, key.name)
        if pod is None or pod["spec"].get("nodeName") or not ownership.is_active(pod):
            self._waiting.pop(key, None)
            return None
        if pod["spec"].get("schedulingGates"):
            self._waiting.pop(key, None)
            self._hold(pod)
            return None
        nodes = list(self.objects.store.all(NODES))
        obstacles = {node["metadata"]["name"]: self._obstacles(pod, node) for node in nodes}
        fits = [name for name, found in obstacles.items() if not found]
        if fits:
            self._bind(key, pod, min(fits, key=self._load))
        else:
            self._waiting[key] = None
            self._refuse(pod, _message(obstacles, self._never_fits(pod, nodes)))
        return None

    def _load(self, node: str) -> tuple[Decimal, Decimal]:
        used = self._used[node]
        return used.get("nvidia.com/gpu", Decimal(0)), used.get("pods", Decimal(0))

    def _count(self, pod: Obj | None, sign: int) -> None:
        node = pod["spec"].get("nodeName") if pod else None
        if pod and node and pod["status"].get("phase") not in ("Succeeded", "Failed"):
            demand.add(self._used[node], {**demand.requests(pod), "pods": Decimal(1)}, sign)

    def _obstacles(self, pod: Obj, node: Obj) -> list[str]:
        if node["spec"].get("unschedulable") if node.get("spec") else False:
            return ["node(s) were unschedulable"]
        labels = node["metadata"].get("labels") or {}
        if (pod["spec"].get("nodeSelector") or {}).items() - labels.items():
            return ["node(s) didn't match Pod's node affinity/selector"]
        used = self._used[node["metadata"]["name"]]
        wanted = {**demand.requests(pod), "pods": Decimal(1)}
        return [
            "Too many pods" if name == "pods" else f"Insufficient {name}"
            for name, amount in wanted.items()
            if amount > _allocatable(node, name) - used.get(name, Decimal(0))
        ]

    def _never_fits(self, pod: Obj, nodes: list[Obj]) -> int:
        """On how many nodes the pod would not fit even if they were empty."""
        wanted = demand.requests(pod)
        return sum(any(amount > _allocatable(node, name) for name, amount in wanted.items()) for node in nodes)

    def _bind(self, key: Key, pod: Obj, node: str) -> None:
        self._waiting.pop(key, None)

        def bind(obj: Obj) -> Obj:
            obj["spec"]["nodeName"] = node
            return obj

        bound = self.objects.update(PODS, key.namespace, key.name, bind, Actor(MANAGER))
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": clock.now()}
        others = [item for item in bound["status"].get("conditions", ()) if item["type"] != "PodScheduled"]
        self.objects.set_status(PODS, bound, {**bound["status"], "conditions": [*others, scheduled]}, MANAGER)
        message = f"Successfully assigned {key.namespace}/{key.name} to {node}"
        ownership.tell(self.objects, pod, "Scheduled", message, SCHEDULER)

    def _hold(self, pod: Obj) -> None:
        """As the API server itself does."""
        self._wait(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")

    def _refuse(self, pod: Obj, message: str) -> None:
        if self._wait(pod, "Unschedulable", message):
            ownership.tell(self.objects, pod, "FailedScheduling", message, SCHEDULER)

    def _wait(self, pod: Obj, reason: str, message: str) -> bool:
        """Whether that is news."""
        before = ownership.condition(pod, "PodScheduled")
        if before and before.get("message") == message:
            return False
        waits = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": before["lastTransitionTime"] if before else clock.now(),
        }
        self.objects.set_status(PODS, pod, {**pod["status"], "conditions": [waits]}, MANAGER)
        return True


def _allocatable(node: Obj, name: str) -> Decimal:
    return quantities.parse(((node.get("status") or {}).get("allocatable") or {}).get(name, 0))


def _message(obstacles: dict[str, list[str]], never: int) -> str:
    """`0/2 nodes are available: 2 Insufficient nvidia.com/gpu. …`, in the wording of Kubernetes 1.35."""
    total = len(obstacles)
    if not total:
        return "no nodes available to schedule pods"
    every = [obstacle for found in obstacles.values() for obstacle in found]
    counted = ", ".join(sorted(f"{every.count(obstacle)} {obstacle}" for obstacle in set(every)))
    reasons = [f"{never} Preemption is not helpful for scheduling"] if never else []
    reasons += [f"{total - never} No preemption victims found for incoming pod"] if total > never else []
    preemption = ", ".join(reasons)
    return (
        f"0/{total} nodes are available: {counted}. no new claims to deallocate, "
        f"preemption: 0/{total} nodes are available: {preemption}."
    )
