"""The nodes that exist from the start, and the namespaces."""

from functions.local.kubernetes import clock
from functions.local.kubernetes.managed_fields import Actor
from functions.local.kubernetes.objects import Objects
from functions.local.kubernetes.resources import NAMESPACES, NODES, Resource
from functions.local.kubernetes.store import Obj

FIRST_NAMESPACES = ("default", "kube-system")


def install(objects: Objects, *, nodes: int, gpus: int, cpu: str, memory: str) -> None:
    """Make `nodes` nodes with `gpus` GPUs each, and the namespaces every cluster has."""
    for name in FIRST_NAMESPACES:
        _create(objects, NAMESPACES, {"metadata": {"name": name}})
    for number in range(1, nodes + 1):
        name = f"node{number}"
        node = _create(objects, NODES, {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
        objects.set_status(NODES, node, _status(number, gpus, cpu, memory), "kubelet")


def _create(objects: Objects, resource: Resource, body: Obj) -> Obj:
    return objects.create(resource, "", body, Actor("modelswitch"))


def _status(number: int, gpus: int, cpu: str, memory: str) -> Obj:
    capacity = {"cpu": cpu, "memory": memory, "pods": "500"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastTransitionTime": clock.now(),
    }
    addresses = [{"type": "InternalIP", "address": f"10.244.0.{number}"}]
    return {"capacity": capacity, "allocatable": capacity, "conditions": [ready], "addresses": addresses}
