"""Whether a model that is to run has no pods because its workload is scaled to zero, and who scaled it.

In Standard mode KServe leaves the replicas of a Deployment to its scaler: KEDA, an autoscaler of one's own, a
downscaler, kubectl. Only in Knative mode a request wakes such a model.
"""

from collections.abc import Iterable

from events.model import Kind, ModelRef
from functions.adapters.cluster import Cluster, Forbidden, Json
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import deployments, pod_selector
from functions.adapters.kserve.schema import WORKLOAD
from functions.lifecycle.observation import Mode, Observation, ScaledDown
from functions.object_errors import Stage, one_object


class Scaling:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def scaled_down(self, seen: Observation, model: Model) -> ScaledDown | None:
        """None too where we may not read Deployments: then the model is shown as waiting for its pods."""
        waits = seen.exists and not (seen.pods or seen.stop_wanted or seen.deleting)
        if not waits or seen.mode is not Mode.STANDARD:
            return None
        try:
            return self._first(seen.ref, model, await self._deployments(seen.ref))
        except Forbidden:
            return None

    async def _deployments(self, ref: ModelRef) -> list[Json]:
        return await self._cluster.list_all(deployments(ref.namespace), labelSelector=pod_selector(ref))

    def _first(self, ref: ModelRef, model: Model, items: Iterable[Json]) -> ScaledDown | None:
        for item in items:
            with one_object(Stage.MODEL, f"{ref.namespace}/{name_of(item)}"):
                workload = parse(WORKLOAD, item)
                if (workload.get("spec") or {}).get("replicas") == 0:
                    return ScaledDown(workload["metadata"]["name"], _scaled_by(workload), scaler_of(model))
        return None


def scaler_of(model: Model) -> str | None:
    """What the model's owner lets scale it: `keda`, or `external` where KServe is told no more."""
    if model.kind is Kind.LLM_INFERENCE_SERVICE:
        return "keda" if (model.spec.get("scaling") or {}).get("keda") is not None else None
    return model.scaler_to_zero


def _scaled_by(workload: Json) -> str | None:
    """The field manager that wrote the replicas last."""
    writers = [
        entry
        for entry in (workload.get("metadata") or {}).get("managedFields") or []
        if isinstance(spec := (entry.get("fieldsV1") or {}).get("f:spec"), dict) and "f:replicas" in spec
    ]
    newest: Json = max(writers, key=lambda entry: entry.get("time") or "", default={})
    return newest.get("manager")
