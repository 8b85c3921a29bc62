"""The containers of a model's pods: the ServingRuntime's, overlaid by what the model asks for."""

import copy
from typing import Any

from functions.local.kserve.resources import Json

SERVER = "kserve-container"
MODEL_FOLDER = "/mnt/models"
DEFAULT_PORT = 8080

POD_FIELDS = (
    "affinity",
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "imagePullSecrets",
    "initContainers",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
)
"""What a ServingRuntime and a component may say of the pod besides its containers."""


CONTAINER_FIELDS = (
    "args",
    "command",
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "volumeMounts",
)
"""Of `predictor.model`, what belongs to the container rather than to the model."""


def overlay(base: Json, top: Json) -> Json:
    """`top` over `base`: mappings merge, named lists (env, volumes) merge by name, `args` add up, the rest replaces."""
    merged = copy.deepcopy(base)
    for key, value in top.items():
        merged[key] = _overlaid(key, merged.get(key), value)
    return merged


def _overlaid(key: str, old: Any, new: Any) -> Any:
    if key == "args" and old:
        return [*old, *new]
    if isinstance(old, dict) and isinstance(new, dict):
        return overlay(old, new)
    if isinstance(old, list) and isinstance(new, list) and all("name" in item for item in [*old, *new]):
        names = {item["name"] for item in new}
        return [*(item for item in old if item["name"] not in names), *copy.deepcopy(new)]
    return copy.deepcopy(new)


def fill_in(value: Any, name: str, namespace: str) -> Any:
    """Replaces the placeholders that runtimes use: {{.Name}} and {{.Namespace}}, also with spaces inside."""
    if isinstance(value, str):
        for key, text in (("Name", name), ("Namespace", namespace)):
            value = value.replace("{{." + key + "}}", text).replace("{{ ." + key + " }}", text)
        return value
    if isinstance(value, list):
        return [fill_in(item, name, namespace) for item in value]
    if isinstance(value, dict):
        return {key: fill_in(item, name, namespace) for key, item in value.items()}
    return value


def merged_pod(name: str, namespace: str, runtime: Json, predictor: Json) -> Json:
    """The pod of a predictor with a `model`: the runtime's spec under the predictor's."""
    model = predictor["model"]
    asked = {key: model[key] for key in CONTAINER_FIELDS if key in model}
    containers = list(runtime.get("containers", []))
    server = next((item for item in containers if item["name"] == SERVER), containers[0])
    served = with_env(fill_in(overlay(server, asked), name, namespace), "INFERENCE_SERVICE_NAME", name)
    others = [copy.deepcopy(item) for item in [*containers, *predictor.get("containers", [])] if item is not server]
    pod = overlay(pick(runtime, POD_FIELDS), pick(predictor, POD_FIELDS))
    pod["containers"] = [served, *others]
    return with_storage(pod, model.get("storageUri"))


def custom_pod(name: str, namespace: str, component: Json, args: tuple[str, ...] = ()) -> Json:
    """The pod of a component that brings its own container (transformer, explainer, custom predictor)."""
    own = list(component.get("containers", []))
    if not own:
        return {"containers": []}
    first = {**copy.deepcopy(own[0]), "name": own[0].get("name") or SERVER}
    first["args"] = [*first.get("args", []), *(arg for arg in args if not _given(first, arg))]
    if not first["args"]:
        del first["args"]
    first = with_env(fill_in(first, name, namespace), "INFERENCE_SERVICE_NAME", name)
    return {**pick(component, POD_FIELDS), "containers": [first, *copy.deepcopy(own[1:])]}


def _given(container: Json, arg: str) -> bool:
    flag = arg.partition("=")[0]
    return any(str(given).partition("=")[0] == flag for given in container.get("args", []))


def with_env(container: Json, key: str, value: str) -> Json:
    env = [item for item in container.get("env", []) if item["name"] != key]
    return {**container, "env": [*env, {"name": key, "value": value}]}


def with_storage(pod: Json, uri: str | None) -> Json:
    """Mounts pvc://CLAIM/PATH read-only by subPath; other URIs would take KServe's storage initializer and are left."""
    if not uri or not uri.startswith("pvc://"):
        return pod
    claim, _, folder = uri.removeprefix("pvc://").partition("/")
    mount = {"name": "kserve-pvc-source", "mountPath": MODEL_FOLDER, "readOnly": True}
    if folder:
        mount["subPath"] = folder
    source = {"claimName": claim, "readOnly": True}
    pod["volumes"] = [*pod.get("volumes", []), {"name": mount["name"], "persistentVolumeClaim": source}]
    server = pod["containers"][0]
    server["volumeMounts"] = [*server.get("volumeMounts", []), mount]
    return pod


def pick(source: Json, keys: tuple[str, ...]) -> Json:
    return {key: copy.deepcopy(source[key]) for key in keys if key in source}


def server_port(pod: Json) -> int:
    ports = pod["containers"][0].get("ports") or [{"containerPort": DEFAULT_PORT}]
    return int(ports[0]["containerPort"])


def with_defaults(pod: Json) -> Json:
    """Standard mode's defaults: 30 s of grace, and a TCP probe, so that a pod is Ready as soon as something listens."""
    server = pod["containers"][0]
    probe = {"tcpSocket": {"port": server_port(pod)}, "periodSeconds": 10}
    server.setdefault("readinessProbe", {**probe, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
    server.setdefault("imagePullPolicy", "IfNotPresent")
    pod.setdefault("terminationGracePeriodSeconds", 30)
    pod.setdefault("restartPolicy", "Always")
    return pod
