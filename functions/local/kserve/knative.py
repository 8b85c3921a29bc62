"""Knative Serving, as far as KServe's Knative mode shows it: Revisions, their Deployments, traffic, scale to zero."""

import copy
import math
import re

from functions.local.kserve import knative_status
from functions.local.kserve.annotations import IDLE_SECONDS, INITIAL_SCALE, MIN_SCALE, annotations_of
from functions.local.kserve.applied import digest
from functions.local.kserve.cluster import Cluster
from functions.local.kserve.conditions import is_true
from functions.local.kserve.knative_pods import revision_deployment
from functions.local.kserve.knative_scale import idle_for, scale_of
from functions.local.kserve.resources import (
    DEPLOYMENT,
    INFERENCE_SERVICE,
    KNATIVE_SERVICE,
    REVISION,
    Json,
    controller_of,
    owned_by,
)
from functions.local.kserve.worker import ReconcileError

LABEL = "serving.knative.dev"
LOOK_SECONDS = 0.3
TEMPLATE_DIGEST = "sim.modelswitch.dev/template"


class KnativeServices:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds until the next revision may have been idle long enough, None if none can be."""
        service = await self._cluster.get(KNATIVE_SERVICE, namespace, name)
        if service is None or service["metadata"].get("deletionTimestamp"):
            return None
        revisions = await self._revisions(service)
        newest = revisions[-1]["metadata"]["name"]
        status = copy.deepcopy(service.get("status") or {})
        noticed = await self._noticed(service)
        delays = []
        for revision in revisions:
            routed = knative_status.is_routed(service, status, revision["metadata"]["name"], newest)
            delays.append(await self._serve(revision, routed=routed, may_idle=noticed))
        knative_status.update(service, status, revisions)
        if status != service.get("status"):
            await self._cluster.replace(KNATIVE_SERVICE, {**service, "status": status}, "status")
        return min((delay for delay in delays if delay is not None), default=None)

    async def _revisions(self, service: Json) -> list[Json]:
        """The service's own, oldest first, with a new one where the template has changed."""
        meta = service["metadata"]
        found = await self._cluster.list(REVISION, meta["namespace"], f"{LABEL}/service={meta['name']}")
        own = [revision for revision in found["items"] if _owned(revision, meta["uid"])]
        own.sort(key=_number)
        template = digest(service["spec"]["template"])
        if not own or annotations_of(own[-1])[TEMPLATE_DIGEST] != template:
            number = _number(own[-1]) + 1 if own else 1
            own.append(await self._cluster.create(REVISION, _revision(service, number, template)))
        return own

    async def _noticed(self, service: Json) -> bool:
        """Whether KServe has seen the model loaded: Knative's own idle time leaves it a minute for that, ours does not."""
        owner = controller_of(service)
        if owner is None or owner["kind"] != INFERENCE_SERVICE.kind:
            return True
        isvc = await self._cluster.get(INFERENCE_SERVICE, service["metadata"]["namespace"], owner["name"])
        model = ((isvc or {}).get("status") or {}).get("modelStatus", {})
        return bool(model.get("states", {}).get("targetModelState") == "Loaded")

    async def _serve(self, revision: Json, *, routed: bool, may_idle: bool) -> float | None:
        """Keeps the revision's Deployment at its scale and the revision's status true (in place)."""
        wanted = revision_deployment(revision)
        meta = wanted["metadata"]
        deployment = await self._cluster.get(DEPLOYMENT, meta["namespace"], meta["name"])
        if deployment and not _owned(deployment, revision["metadata"]["uid"]):
            raise ReconcileError(f"deployment {meta['name']} is still that of an earlier revision; waiting for its end")
        settings = annotations_of(revision)
        least = int(settings.get(MIN_SCALE, "1"))
        if deployment is None:
            wanted["spec"]["replicas"] = max(least, int(settings.get(INITIAL_SCALE, "1"))) if routed else 0
            deployment = await self._cluster.create(DEPLOYMENT, wanted)
        idle = float(settings.get(IDLE_SECONDS, "60"))
        replicas = scale_of(deployment, least=least, idle=idle if may_idle else math.inf, routed=routed)
        if replicas != deployment["spec"].get("replicas"):
            deployment["spec"]["replicas"] = replicas
            deployment = await self._cluster.replace(DEPLOYMENT, deployment)
        status = copy.deepcopy(revision.get("status") or {})
        knative_status.update_revision(revision, status, deployment, routed=routed)
        if status != revision.get("status"):
            revision |= await self._cluster.replace(REVISION, {**revision, "status": status}, "status")
        waits = least == 0 and routed and replicas > 0 and is_true(deployment.get("status", {}), "Available")
        return max(idle - idle_for(deployment), LOOK_SECONDS) if waits else None


def _owned(obj: Json, uid: str) -> bool:
    meta = obj["metadata"]
    return not meta.get("deletionTimestamp") and any(r["uid"] == uid for r in meta.get("ownerReferences", []))


def _number(revision: Json) -> int:
    match = re.search(r"-(\d{5})$", revision["metadata"]["name"])
    return int(match[1]) if match else 0


def _revision(service: Json, number: int, template: str) -> Json:
    """Named after its number, so that a stop and start ends at -00001 again."""
    meta, asked = service["metadata"], service["spec"]["template"]
    labels = {**asked["metadata"].get("labels", {})}
    labels |= {f"{LABEL}/service": meta["name"], f"{LABEL}/configuration": meta["name"]}
    labels[f"{LABEL}/configurationGeneration"] = str(number)
    own = {
        "name": f"{meta['name']}-{number:05d}",
        "namespace": meta["namespace"],
        "labels": labels,
        "annotations": {**asked["metadata"].get("annotations", {}), TEMPLATE_DIGEST: template},
    }
    return {"metadata": owned_by(service, KNATIVE_SERVICE, own), "spec": asked["spec"]}
