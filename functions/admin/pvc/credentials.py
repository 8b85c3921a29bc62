"""How the loader gets at S3: with what KServe itself gave the model's pod, else by KServe's own rules (pkg/credentials).

Secrets are referred to, never copied.
"""

import copy
import json
from collections.abc import Iterable
from typing import Any

from functions.admin.pvc.manifests import MODEL_FOLDER, Copier
from functions.admin.pvc.source import Source

Json = dict[str, Any]
INITIALIZER = "storage-initializer"
ACCESS_KEY, SECRET_KEY = "awsAccessKeyID", "awsSecretAccessKey"
_S3 = "serving.kserve.io/s3-"
_FROM_ANNOTATIONS = {
    "region": "AWS_DEFAULT_REGION",
    "verifyssl": "S3_VERIFY_SSL",
    "usevirtualbucket": "S3_USER_VIRTUAL_BUCKET",
    "useaccelerate": "S3_USE_ACCELERATE",
    "useanoncredential": "awsAnonymousCredential",
    "cabundle": "AWS_CA_BUNDLE",
}
_KEPT = ("image", "imagePullPolicy", "command", "env", "envFrom", "resources")
_DEFAULT_RESOURCES = {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def injected(pods: Iterable[Json]) -> Json | None:
    """A pod of the model that KServe put its storage initializer into."""
    return next((pod for pod in pods if _initializer(pod)), None)


def injected_uri(pods: Iterable[Json]) -> str | None:
    pod = injected(pods)
    args = (_initializer(pod) or {}).get("args") or [] if pod else []
    return str(args[0]) if args else None


def copier(
    source: Source, pods: Iterable[Json], initializer: Json | None, secret_name: str, account_secrets: Iterable[Json]
) -> Copier | None:
    """None: no image to copy with is configured."""
    pod = injected(pods)
    if pod:
        return _as_injected(pod)
    if initializer is None or not initializer.get("image"):
        return None
    container = {key: copy.deepcopy(initializer[key]) for key in _KEPT if key in initializer}
    container.setdefault("resources", copy.deepcopy(_DEFAULT_RESOURCES))
    if source.key:
        env, said = _storage_config(source, secret_name), f"key {source.key} of secret {secret_name}"
    else:
        env, said = _account_env(account_secrets), "the secrets of the model's ServiceAccount"
    container["env"] = [*env, *(container.get("env") or [])]
    return Copier(container, [], said if env else "no credentials: nothing names any")


def _as_injected(pod: Json) -> Copier:
    found = _initializer(pod) or {}
    container = {key: copy.deepcopy(found[key]) for key in _KEPT if key in found}
    known = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    mounts = [mount for mount in found.get("volumeMounts") or [] if _is_about_access(mount, known)]
    container["volumeMounts"] = copy.deepcopy(mounts)
    names = sorted({mount["name"] for mount in mounts})
    return Copier(
        container,
        [copy.deepcopy(known[name]) for name in names],
        f"as KServe gave them to pod {pod['metadata']['name']}",
    )


def _is_about_access(mount: Json, known: dict[str, Json]) -> bool:
    """Certificates and credentials; not the model's own folder, and not the token of the ServiceAccount."""
    volume = known.get(mount["name"]) or {}
    return not mount["mountPath"].startswith(MODEL_FOLDER) and ("configMap" in volume or "secret" in volume)


def _initializer(pod: Json) -> Json | None:
    return next((one for one in pod["spec"].get("initContainers") or [] if one["name"] == INITIALIZER), None)


def _storage_config(source: Source, secret_name: str) -> list[Json]:
    env: list[Json] = [_from_secret("STORAGE_CONFIG", secret_name, str(source.key))]
    if source.parameters:
        env.append({"name": "STORAGE_OVERRIDE_CONFIG", "value": json.dumps(source.parameters, sort_keys=True)})
    return env


def _account_env(secrets: Iterable[Json]) -> list[Json]:
    for secret in secrets:
        if SECRET_KEY in (secret.get("data") or {}):
            name = secret["metadata"]["name"]
            keys = [
                _from_secret("AWS_ACCESS_KEY_ID", name, ACCESS_KEY),
                _from_secret("AWS_SECRET_ACCESS_KEY", name, SECRET_KEY),
            ]
            return [*keys, *_from_annotations(secret["metadata"].get("annotations") or {})]
    return []


def _from_annotations(annotations: dict[str, str]) -> list[Json]:
    env: list[Json] = []
    if endpoint := annotations.get(f"{_S3}endpoint"):
        scheme = "http" if annotations.get(f"{_S3}usehttps") == "0" else "https"
        env += [
            {"name": "S3_ENDPOINT", "value": endpoint},
            {"name": "AWS_ENDPOINT_URL", "value": f"{scheme}://{endpoint}"},
        ]
    found = {name: annotations.get(f"{_S3}{key}") for key, name in _FROM_ANNOTATIONS.items()}
    return env + [{"name": name, "value": value} for name, value in found.items() if value]


def _from_secret(name: str, secret: str, key: str) -> Json:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
