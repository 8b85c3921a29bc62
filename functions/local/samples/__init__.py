"""A dozen models of two teams on four GPUs, for a first look: YAML that a real KServe takes as well."""

import asyncio
import time
from importlib.resources import files
from typing import Any

import yaml

from functions.local.kserve.cluster import ApiError, Cluster
from functions.local.kserve.resources import (
    INFERENCE_GRAPH,
    INFERENCE_SERVICE,
    LLM_INFERENCE_SERVICE,
    POD,
    SERVING_RUNTIME,
    Resource,
)

GPU = "nvidia.com/gpu"
HELD_SECONDS = 20.0
_KINDS = {
    resource.kind: resource
    for resource in (
        Resource("/api/v1", "namespaces", "Namespace", namespaced=False),
        Resource("/api/v1", "resourcequotas", "ResourceQuota"),
        SERVING_RUNTIME,
        INFERENCE_SERVICE,
        LLM_INFERENCE_SERVICE,
        INFERENCE_GRAPH,
    )
}


def sample_objects() -> list[list[dict[str, Any]]]:
    """All of them, file by file, in the order in which they must be made."""
    sources = sorted((path for path in files(__name__).iterdir() if path.name.endswith(".yaml")), key=lambda p: p.name)
    return [list(yaml.safe_load_all(path.read_text())) for path in sources]


async def apply_samples(kubeconfig: str | None = None) -> int:
    """Makes each one that is not there yet and answers how many it made. What is there stays as it is.

    `kubeconfig` is a path; None means $KUBECONFIG. ApiError where the API server refuses an object.
    """
    cluster = await Cluster.connect(kubeconfig)
    made, before = 0, 0
    try:
        for objects in sample_objects():
            made += sum([await _make(cluster, obj, gpus=before) for obj in objects])
            before += sum(map(_gpus, objects))
    finally:
        await cluster.close()
    return made


async def _make(cluster: Cluster, obj: dict[str, Any], gpus: int) -> bool:
    """`gpus`: what the files before this one's want, and get first, whichever model KServe looks at first."""
    resource, metadata = _KINDS[obj["kind"]], obj["metadata"]
    if _gpus(obj) and await cluster.get(resource, metadata["namespace"], metadata["name"]) is None:
        await _until_held(cluster, gpus)
    try:
        await cluster.create(resource, obj)
    except ApiError as error:
        if error.reason == "AlreadyExists":
            return False
        raise
    return True


async def _until_held(cluster: Cluster, gpus: int) -> None:
    """Until pods with a node hold so many. Not for ever: without KServe's controller none comes."""
    until = time.monotonic() + HELD_SECONDS
    while time.monotonic() < until:
        pods = (await cluster.list(POD))["items"]
        if sum(_gpus(pod["spec"]) for pod in pods if pod["spec"].get("nodeName")) >= gpus:
            return
        await asyncio.sleep(0.05)


def _gpus(spec: Any) -> int:
    """What it requests, wherever in it that is said."""
    if isinstance(spec, list):
        return sum(map(_gpus, spec))
    if not isinstance(spec, dict):
        return 0
    return sum(int(value) if name == GPU else _gpus(value) for name, value in spec.items() if name != "limits")
