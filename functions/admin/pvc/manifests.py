"""The objects that a plan makes, as plain JSON. Pure."""

import copy
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from functions.admin.pvc import scripts
from functions.admin.pvc.source import Source
from functions.admin.pvc.wish import DEFAULT_ACCESS_MODE, Wish
from functions.lifecycle.observation import STOP_ANNOTATION
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION

Json = dict[str, Any]


@dataclass(frozen=True)
class Copier:
    """The container that copies from S3, and the volumes that its mounts need. `said`: where its credentials are from."""

    container: Json
    volumes: list[Json] = field(default_factory=list)
    said: str = ""


OURS = {"app.kubernetes.io/managed-by": "modelswitch"}
MANAGED_BY = {**OURS, "app.kubernetes.io/component": "pvc-loader"}
_POD_LABELS = {**MANAGED_BY, "sidecar.istio.io/inject": "false"}  # a proxy that never ends would keep a Job from ending
LOADERS = "app.kubernetes.io/managed-by=modelswitch,app.kubernetes.io/component=pvc-loader"
DIGEST_ANNOTATION = "modelswitch.dev/artifact-digest"
RECORD_PREFIX = "artifact.modelswitch.dev/"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MODEL_FOLDER = "/mnt/models"
LOADER_USER = 1000
_OURS_TO_LEAVE = frozenset({LAST_APPLIED, STOP_ANNOTATION, STOP_NOTE_ANNOTATION, DIGEST_ANNOTATION})
_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "ownerReferences")
_SANDBOX = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_SMALL = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def bare(found: Json) -> Json:
    """An object as its owner wrote it: without what the API server adds and KServe reports."""
    kept = copy.deepcopy({key: value for key, value in found.items() if key != "status"})
    kept["metadata"] = {key: value for key, value in kept["metadata"].items() if key not in _SERVERS}
    annotations = {
        key: value for key, value in (kept["metadata"].get("annotations") or {}).items() if key != LAST_APPLIED
    }
    kept["metadata"].pop("annotations", None)
    if annotations:
        kept["metadata"]["annotations"] = annotations
    return kept


def retained_name(storage_class: str) -> str:
    return f"{storage_class}-retain"


def retained_class(found: Json) -> Json:
    """The same StorageClass, but its volumes outlive their claims. It never becomes the default one."""
    clone = bare(found)
    annotations = clone["metadata"].get("annotations") or {}
    annotations.pop(DEFAULT_CLASS, None)
    clone["metadata"] = {"name": retained_name(found["metadata"]["name"]), "labels": dict(OURS)}
    if annotations:
        clone["metadata"]["annotations"] = annotations
    clone["reclaimPolicy"] = "Retain"
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        **{k: v for k, v in clone.items() if k not in {"apiVersion", "kind"}},
    }


def claim(wish: Wish, storage_class: str | None, size: str) -> Json:
    spec: Json = {
        "accessModes": [wish.access_mode or DEFAULT_ACCESS_MODE],
        "resources": {"requests": {"storage": size}},
    }
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    metadata = {
        "name": wish.claim,
        "namespace": wish.namespace,
        "labels": dict(OURS),
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def loader_name(wish: Wish, source: str) -> str:
    return f"load-{wish.claim[:40].rstrip('-.')}-{wish.mark(source)}".replace(".", "-")


def places(wish: Wish, source: str) -> tuple[str, str]:
    """Where a copy is made, and where it belongs, as the loader sees them."""
    return f"{scripts.ROOT}/{scripts.STAGING}/{wish.mark(source)}", f"{scripts.ROOT}/{wish.target.path}"


def loader_job(wish: Wish, source: Source, copier: Copier, account: str | None, sandbox: Json) -> Json:
    """Copies with KServe's own storage initializer, so that what lands on the claim is what landed in the emptyDir."""
    staged, final = places(wish, source.uri)
    image = wish.loader_image or copier.container["image"]
    mount = {"name": "claim", "mountPath": scripts.ROOT}
    own = {"securityContext": dict(_SANDBOX), "image": image}
    if policy := copier.container.get("imagePullPolicy"):
        own["imagePullPolicy"] = policy
    shell = {**own, "resources": copy.deepcopy(_SMALL), "volumeMounts": [mount]}
    copying = {
        **copy.deepcopy(copier.container),
        **own,
        "name": "copy",
        "args": [source.uri, staged],
        "volumeMounts": [mount, *(copier.container.get("volumeMounts") or [])],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    clearing = {**shell, "name": "clear", "command": ["sh", "-c", scripts.PREPARE, "sh", staged]}
    checking = {
        **shell,
        "name": "check",
        "command": ["sh", "-c", scripts.FINISH, "sh", staged, final, wish.digest_expected or ""],
    }
    pod: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **sandbox,
        "initContainers": [clearing, copying],
        "containers": [checking],
        "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": wish.claim}}, *copier.volumes],
    }
    if account:
        pod["serviceAccountName"] = account
    spec = {"backoffLimit": 1, "template": {"metadata": {"labels": dict(_POD_LABELS)}, "spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _loader_metadata(wish, source.uri), "spec": spec}


def loader_pod(wish: Wish, image: str, sandbox: Json, pull_policy: str | None = None) -> Json:
    """Waits to be given the folder, as `kubectl cp` gives it: tar over exec."""
    container: Json = {
        "name": "receive",
        "image": image,
        "command": ["sh", "-c", scripts.IDLE],
        "securityContext": dict(_SANDBOX),
        "resources": copy.deepcopy(_SMALL),
        "volumeMounts": [{"name": "claim", "mountPath": scripts.ROOT}],
    }
    if pull_policy:
        container["imagePullPolicy"] = pull_policy
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        **sandbox,
        "containers": [container],
        "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": wish.claim}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _loader_metadata(wish, "folder"), "spec": spec}


def _loader_metadata(wish: Wish, source: str) -> Json:
    return {"name": loader_name(wish, source), "namespace": wish.namespace, "labels": dict(MANAGED_BY)}


def runtime(found: Json, name: str, namespace: str) -> Json:
    """A ServingRuntime (even if it was a ClusterServingRuntime) without an emptyDir for the model."""
    own = bare(found)
    kept = {key: own["metadata"][key] for key in ("labels", "annotations") if key in own["metadata"]}
    spec, gone = own["spec"], set(model_empty_dirs(own["spec"]))
    if gone:
        spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] not in gone]
        for container in spec.get("containers") or []:
            mounts = [mount for mount in container.get("volumeMounts") or [] if mount["name"] not in gone]
            container.pop("volumeMounts", None)
            if mounts:
                container["volumeMounts"] = mounts
        if not spec["volumes"]:
            del spec["volumes"]
    metadata = {"name": name, "namespace": namespace, **kept}
    api = own.get("apiVersion") or "serving.kserve.io/v1alpha1"
    return {"apiVersion": api, "kind": "ServingRuntime", "metadata": metadata, "spec": spec}


def model_empty_dirs(pod_spec: Json) -> list[str]:
    """The names of emptyDir volumes that are mounted where the model belongs, above it or below it."""
    empty = {volume["name"] for volume in pod_spec.get("volumes") or [] if "emptyDir" in volume}
    mounts = [
        mount
        for container in [*(pod_spec.get("containers") or []), *(pod_spec.get("initContainers") or [])]
        for mount in container.get("volumeMounts") or []
    ]
    return sorted(
        {mount["name"] for mount in mounts if mount["name"] in empty and _holds_the_model(mount["mountPath"])}
    )


def _holds_the_model(path: str) -> bool:
    place = f"{path.rstrip('/')}/"
    return f"{MODEL_FOLDER}/".startswith(place) or place.startswith(f"{MODEL_FOLDER}/")


def service(found: Json, wish: Wish, runtime_name: str | None, digest: str) -> Json:
    """The InferenceService as it will be: another storage, perhaps another name and runtime, all else as it was."""
    wanted = bare(found)
    if wish.new_name:
        metadata = wanted["metadata"]
        annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in _OURS_TO_LEAVE}
        wanted["metadata"] = {"name": wish.new_name, "namespace": wish.namespace, "annotations": annotations}
        if metadata.get("labels"):
            wanted["metadata"]["labels"] = metadata["labels"]
    wanted = with_digest(wanted, digest)
    model = wanted["spec"]["predictor"]["model"]
    model.pop("storage", None)
    model["storageUri"] = str(wish.target)
    if runtime_name:
        model["runtime"] = runtime_name
    return wanted


def with_digest(found: Json, digest: str) -> Json:
    """The same, marked as what has this artifact: KServe replaces the pods once for each digest, and not again for it."""
    wanted = bare(found)
    wanted["metadata"].setdefault("annotations", {})[DIGEST_ANNOTATION] = digest
    return wanted


def record(source: str, digest: str, size: int, files: int, *, published: bool) -> str:
    """The claim's annotation for one artifact on it, so that a later run does not copy it again and publishes it if needed."""
    said = {"source": source, "digest": digest, "size": size, "files": files, "published": published}
    return json.dumps(said, sort_keys=True)


def storage(text: int) -> str:
    """A claim's size for that many bytes: a quarter more, in whole Gi."""
    return f"{max(1, -(-int(Decimal(text) * 5 / 4) // 1024**3))}Gi"
