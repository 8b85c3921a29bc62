"""Reads from the cluster what a plan needs. Nothing is written; what may not be read is said to be unreadable."""

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any

from events.model import ModelRef
from functions.adapters.cluster import Cluster, Forbidden, Missing
from functions.adapters.kserve.resources import GROUP, named, pod_selector, pods
from functions.admin.pvc.manifests import LOADERS
from functions.admin.pvc.seen import UNREADABLE, Json, Seen, Unreadable
from functions.admin.pvc.volumes import CLASSES, claims
from functions.admin.pvc.wish import Wish

STORAGE_SECRET = "storage-config"  # noqa: S105 - a name, KServe's default
SECRET_ANNOTATION = "serving.kserve.io/storageSecretName"  # noqa: S105 - likewise
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_KSERVE_GROUP = "serving.kserve.io"
_ASKED = (
    ("create", "", "persistentvolumeclaims"),
    ("create", "", "pods"),
    ("create", "", "pods/exec"),
    ("create", "batch", "jobs"),
    ("create", _KSERVE_GROUP, "servingruntimes"),
    ("create", _KSERVE_GROUP, "inferenceservices"),
    ("patch", _KSERVE_GROUP, "inferenceservices"),
)


async def read(cluster: Cluster, wish: Wish) -> Seen:
    """ClusterUnavailable where there is no answer; ClusterRefused where the model itself may not be read."""
    model = await _found(cluster, _isvc(wish, wish.model))
    if model is None:
        return Seen()
    claim = await _found(cluster, f"{claims(wish.namespace)}/{wish.claim}")
    secret_name = str((model["metadata"].get("annotations") or {}).get(SECRET_ANNOTATION) or STORAGE_SECRET)
    runtime, wide = await _runtime(cluster, wish, model)
    return Seen(
        model=model,
        served=await _found(cluster, _isvc(wish, wish.name)) if wish.new_name else model,
        namespace=await _allowed(cluster, f"/api/v1/namespaces/{wish.namespace}"),
        claim=claim,
        volume=await _volume(cluster, claim),
        classes=await _classes(cluster),
        runtime=runtime,
        runtime_is_cluster_wide=wide,
        runtime_copy=await _found(cluster, named(_runtimes(wish), wish.runtime_copy)) if wish.runtime_copy else None,
        pods=tuple(await cluster.list_all(pods(wish.namespace), labelSelector=pod_selector(_ref(wish)))),
        nodes=await _nodes(cluster),
        storage_secret=await _storage_secret(cluster, wish.namespace, secret_name),
        storage_secret_name=secret_name,
        account_secrets=await _account_secrets(cluster, wish.namespace, model),
        initializer=await _initializer(cluster),
        denied=await _denied(cluster, wish.namespace),
        loaders=await _loaders(cluster, wish),
    )


def _ref(wish: Wish) -> ModelRef:
    return ModelRef(namespace=wish.namespace, name=wish.model)


def _isvc(wish: Wish, name: str) -> str:
    return f"{GROUP}/v1beta1/namespaces/{wish.namespace}/inferenceservices/{name}"


def _runtimes(wish: Wish) -> str:
    return f"{GROUP}/v1alpha1/namespaces/{wish.namespace}/servingruntimes"


async def _found(cluster: Cluster, path: str) -> Json | None:
    with suppress(Missing):
        return await cluster.get(path)
    return None


async def _named(cluster: Cluster, collection: str, name: object) -> Json | Unreadable | None:
    """The object that an annotation or a reference of another object names; None for what no object is called."""
    with suppress(Missing):
        return await _allowed(cluster, named(collection, name if isinstance(name, str) else ""))
    return None


async def _allowed(cluster: Cluster, path: str) -> Json | Unreadable | None:
    try:
        return await _found(cluster, path)
    except Forbidden:
        return UNREADABLE


async def _classes(cluster: Cluster) -> tuple[Json, ...] | Unreadable:
    try:
        return tuple(await cluster.list_all(CLASSES))
    except Missing:
        return ()
    except Forbidden:
        return UNREADABLE


async def _nodes(cluster: Cluster) -> int | None:
    """How many may take a pod; None where we may not know."""
    try:
        found = await cluster.list_all("/api/v1/nodes")
    except Forbidden:
        return None
    return sum(not (node.get("spec") or {}).get("unschedulable") for node in found)


async def _volume(cluster: Cluster, claim: Json | None) -> Json | Unreadable | None:
    name = ((claim or {}).get("spec") or {}).get("volumeName")
    return await _named(cluster, "/api/v1/persistentvolumes", name) if name else None


async def _runtime(cluster: Cluster, wish: Wish, model: Json) -> tuple[Json | None, bool]:
    """The namespace's own goes before the cluster's of the same name, as in KServe."""
    predictor = ((model.get("spec") or {}).get("predictor") or {}).get("model") or {}
    name = wish.runtime_from or predictor.get("runtime")
    if not name:
        return None, False
    with suppress(Missing):
        if own := await _found(cluster, named(_runtimes(wish), str(name))):
            return own, False
    shared = await _named(cluster, f"{GROUP}/v1alpha1/clusterservingruntimes", name)
    return (None, False) if isinstance(shared, Unreadable) or shared is None else (shared, True)


async def _storage_secret(cluster: Cluster, namespace: str, name: str) -> dict[str, Json] | None:
    """Its entries that are JSON, without what only they should know: a plan is shown to people."""
    found = await _named(cluster, f"/api/v1/namespaces/{namespace}/secrets", name)
    if isinstance(found, Unreadable):
        return None
    entries: dict[str, Json] = {}
    for key, text in ((found or {}).get("data") or {}).items():
        with suppress(ValueError):
            said = json.loads(base64.b64decode(text))
            if isinstance(said, dict):
                entries[key] = {known: said[known] for known in ("type", "bucket") if known in said}
    return entries


async def _account_secrets(cluster: Cluster, namespace: str, model: Json) -> tuple[Json, ...]:
    """The secrets that the model's ServiceAccount lists, their keys without the values."""
    predictor = (model.get("spec") or {}).get("predictor") or {}
    account = predictor.get("serviceAccountName") or "default"
    found = await _named(cluster, f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    if found is None or isinstance(found, Unreadable):
        return ()
    secrets: list[Json] = []
    for listed in found.get("secrets") or []:
        secret = await _named(cluster, f"/api/v1/namespaces/{namespace}/secrets", listed.get("name"))
        if isinstance(secret, dict):
            secrets.append({**secret, "data": dict.fromkeys(secret.get("data") or {}, "")})
    return tuple(secrets)


async def _initializer(cluster: Cluster) -> Json | None:
    """KServe's storage initializer, as this cluster runs it."""
    try:
        containers = await cluster.list_all(f"{GROUP}/v1alpha1/clusterstoragecontainers")
    except (Missing, Forbidden):
        containers = []
    for found in containers:
        spec = found.get("spec") or {}
        formats = [str(one.get("prefix")) for one in spec.get("supportedUriFormats") or []]
        if not found.get("disabled") and "s3://" in formats and (spec.get("container") or {}).get("image"):
            return dict(spec["container"])
    return await _from_config(cluster)


async def _from_config(cluster: Cluster) -> Json | None:
    found = await _allowed(cluster, "/api/v1/namespaces/kserve/configmaps/inferenceservice-config")
    if found is None or isinstance(found, Unreadable):
        return None
    with suppress(ValueError, AttributeError):
        said: dict[str, Any] = json.loads((found.get("data") or {}).get("storageInitializer") or "{}")
        return {"image": said["image"]} if said.get("image") else None
    return None


async def _denied(cluster: Cluster, namespace: str) -> frozenset[tuple[str, str]]:
    asked = [
        *((verb, group, name, namespace) for verb, group, name in _ASKED),
        ("create", "storage.k8s.io", "storageclasses", ""),
    ]
    answers = await asyncio.gather(*(_may(cluster, *one) for one in asked))
    return frozenset((verb, name) for (verb, _, name, _), may in zip(asked, answers, strict=True) if not may)


async def _may(cluster: Cluster, verb: str, group: str, resource: str, namespace: str) -> bool:
    """True if the API server can't answer; if the right is missing, the change itself then fails."""
    name, _, subresource = resource.partition("/")
    about = {"verb": verb, "group": group, "resource": name, "namespace": namespace}
    if subresource:
        about["subresource"] = subresource
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": about},
    }
    try:
        answer = await cluster.create(_REVIEWS, review)
    except (Missing, Forbidden):
        return True
    return bool((answer.get("status") or {}).get("allowed"))


async def _loaders(cluster: Cluster, wish: Wish) -> tuple[Json, ...]:
    """The loaders of earlier runs, of the kind that this wish needs."""
    kind, path = (
        ("Pod", pods(wish.namespace)) if wish.folder else ("Job", f"/apis/batch/v1/namespaces/{wish.namespace}/jobs")
    )
    try:
        listed = await cluster.list_all(path, labelSelector=LOADERS)
    except (Missing, Forbidden):
        return ()
    return tuple({**one, "kind": kind} for one in listed)
