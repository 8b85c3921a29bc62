"""Which ServingRuntime serves a predictor, and what KServe says when none does (reconcileModel in predictor.go)."""

from dataclasses import dataclass

from functions.local.kserve.cluster import Cluster
from functions.local.kserve.resources import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME, Json
from functions.local.kserve.worker import ReconcileError


class RuntimeUnusableError(ReconcileError):
    """`reason` is KServe's FailureReason; `told` the message that goes into modelStatus.lastFailureInfo."""

    def __init__(self, reason: str, told: str, why: str) -> None:
        self.reason = reason
        self.told = told
        super().__init__(why)


@dataclass(frozen=True)
class Runtime:
    """A ServingRuntime (or ClusterServingRuntime): `spec` as written."""

    name: str
    spec: Json
    cluster_wide: bool = False


async def runtime_of(cluster: Cluster, namespace: str, predictor: Json) -> Runtime:
    """The runtime named by `predictor.model.runtime`, else the first that offers itself for the model's format."""
    model = predictor["model"]
    name = model.get("runtime")
    if name:
        return await _named(cluster, namespace, name, model)
    wanted = model.get("modelFormat", {}).get("name")
    for runtime in await _all(cluster, namespace):
        offered = runtime.spec.get("supportedModelFormats", [])
        if not runtime.spec.get("disabled") and any(f["name"] == wanted and f.get("autoSelect") for f in offered):
            return runtime
    raise RuntimeUnusableError(
        "NoSupportingRuntime",
        "No runtime found to support specified framework/version",
        f"no runtime found to support predictor with model type: {wanted}",
    )


async def _named(cluster: Cluster, namespace: str, name: str, model: Json) -> Runtime:
    for resource, cluster_wide in ((SERVING_RUNTIME, False), (CLUSTER_SERVING_RUNTIME, True)):
        found = await cluster.get(resource, namespace, name)
        if found:
            runtime = Runtime(name, found["spec"], cluster_wide)
            _check(runtime, model)
            return runtime
    raise RuntimeUnusableError(
        "RuntimeNotRecognized",
        "Waiting for runtime to become available",
        f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}",
    )


def _check(runtime: Runtime, model: Json) -> None:
    if runtime.spec.get("disabled"):
        raise RuntimeUnusableError(
            "RuntimeDisabled", "Specified runtime is disabled", f"specified runtime {runtime.name} is disabled"
        )
    wanted = model.get("modelFormat", {}).get("name")
    if wanted not in {offered["name"] for offered in runtime.spec.get("supportedModelFormats", [])}:
        raise RuntimeUnusableError(
            "NoSupportingRuntime",
            "Specified runtime does not support specified framework/version",
            f"specified runtime {runtime.name} does not support specified framework/version",
        )


async def _all(cluster: Cluster, namespace: str) -> list[Runtime]:
    """The namespace's own first, then the cluster's, each by name."""
    own = await cluster.list(SERVING_RUNTIME, namespace)
    shared = await cluster.list(CLUSTER_SERVING_RUNTIME)
    return [
        Runtime(found["metadata"]["name"], found["spec"], cluster_wide)
        for items, cluster_wide in ((own["items"], False), (shared["items"], True))
        for found in sorted(items, key=lambda item: str(item["metadata"]["name"]))
    ]
