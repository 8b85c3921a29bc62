"""A dozen models of two teams on four GPUs, for a first look: YAML that a real KServe takes as well."""

from importlib.resources import files
from typing import Any

import yaml

from functions.local.kserve.cluster import ApiError, Cluster
from functions.local.kserve.resources import (
    INFERENCE_GRAPH,
    INFERENCE_SERVICE,
    LLM_INFERENCE_SERVICE,
    SERVING_RUNTIME,
    Resource,
)

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


def sample_objects() -> list[dict[str, Any]]:
    """All of them, in the order in which they must be made."""
    sources = sorted((path for path in files(__name__).iterdir() if path.name.endswith(".yaml")), key=lambda p: p.name)
    return [obj for path in sources for obj in yaml.safe_load_all(path.read_text())]


async def apply_samples(kubeconfig: str | None = None) -> int:
    """Makes each one that is not there yet and answers how many it made. What is there stays as it is.

    `kubeconfig` is a path; None means $KUBECONFIG. ApiError where the API server refuses an object.
    """
    cluster = await Cluster.connect(kubeconfig)
    try:
        return sum([await _make(cluster, obj) for obj in sample_objects()])
    finally:
        await cluster.close()


async def _make(cluster: Cluster, obj: dict[str, Any]) -> bool:
    try:
        await cluster.create(_KINDS[obj["kind"]], obj)
    except ApiError as error:
        if error.reason == "AlreadyExists":
            return False
        raise
    return True
