"""What the tests serve: KServe's own Python server with iris, and a server of a few lines where only pods matter.

Everything here is what a user would write; nothing depends on who acts on it.
"""

import os

IMAGE = os.environ.get("MODELSERVER_IMAGE", "docker.io/local/modelserver:1")
IRIS, LIGHT = "e2e-iris", "e2e-light"
MODE = "serving.kserve.io/deploymentMode"
STOP = "serving.kserve.io/stop"
FORMAT = (
    "huggingface"  # the only one that KServe lets have no storage; it takes others for shares of a multi-model server
)
STOP_NOTE = "modelswitch.dev/stop"
GPU = "nvidia.com/gpu"
_LISTEN = """
import contextlib, os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = socket.create_server(("", {port}))
while True:
    with contextlib.suppress(OSError), server.accept()[0] as client:
        client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""
_READY = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 60}


def _resources(memory, **more):
    requests = {"cpu": "5m", "memory": memory, **more}
    return {"requests": requests, "limits": {"cpu": "2", "memory": "512Mi", **more}}


def _container(name, memory, **more):
    own = {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "readinessProbe": _READY}
    return {**own, "resources": _resources(memory), **more}


def server(name="kserve-container", model="{{.Name}}", **more):
    """KServe's Python server. Some 5 s of CPU until it serves."""
    return _container(name, "128Mi", args=[f"--model_name={model}", "--http_port=8080"], **more)


def listener(name="kserve-container", port=8080, **more):
    """Answers everything with 200; ends at once on SIGTERM. Some 20 ms of CPU until it is ready."""
    command = ["python3", "-S", "-E", "-c", _LISTEN.replace("{port}", str(port))]
    return _container(name, "16Mi", command=command, **more)


def runtimes(annotations):
    """The two ServingRuntimes that every namespace gets; `annotations` go to their pods."""
    return [_runtime(IRIS, server(), annotations), _runtime(LIGHT, listener(), annotations)]


def _runtime(name, container, annotations):
    formats = [{"name": FORMAT, "version": "1", "autoSelect": False}]
    spec = {"supportedModelFormats": formats, "protocolVersions": ["v1", "v2"], "containers": [container]}
    if annotations:
        spec["annotations"] = dict(annotations)
    api = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ServingRuntime"}
    return {**api, "metadata": {"name": name}, "spec": spec}


def inference_service(
    name, runtime=LIGHT, mode="Standard", annotations=None, labels=None, gpus=0, transformer=None, **predictor
):
    """`mode` None leaves the annotation away, and with it all annotations unless there are others."""
    model = {"modelFormat": {"name": FORMAT}, "runtime": runtime}
    if gpus:
        amounts = {GPU: str(gpus)}
        model["resources"] = {"requests": amounts, "limits": amounts}
    metadata = {"name": name}
    marks = {**({MODE: mode} if mode else {}), **(annotations or {})}
    if marks:
        metadata["annotations"] = marks
    if labels:
        metadata["labels"] = labels
    spec = {"predictor": {"model": model, **predictor}}
    if transformer:
        spec["transformer"] = {"containers": [transformer]}
    return {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": metadata, "spec": spec}


def stored(uri, name, **more):
    """An InferenceService of KServe's Python server with its model at `uri`."""
    model = inference_service(name, IRIS, **more)
    model["spec"]["predictor"]["model"]["storageUri"] = uri
    return model


def knative(name, runtime=LIGHT, least=1, **more):
    return inference_service(name, runtime, "Knative", minReplicas=least, **more)


def llm(name):
    """In place of vLLM a listener. The model is an image, since that needs no storage; what KServe presets stays: a preStop of 15 s."""
    check = {"httpGet": {"path": "/health", "port": 8000, "scheme": "HTTP"}, "periodSeconds": 1}
    probes = dict.fromkeys(("startupProbe", "readinessProbe", "livenessProbe"), check)
    pod = {"containers": [{**listener("main", port=8000), **probes}]}
    spec = {"model": {"uri": f"oci://{IMAGE}", "name": name}, "replicas": 1, "template": pod}
    api = {"apiVersion": "serving.kserve.io/v1alpha2", "kind": "LLMInferenceService"}
    return {**api, "metadata": {"name": name}, "spec": spec}


def graph(name, *members):
    steps = [{"name": member, "serviceName": member} for member in members]
    spec = {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}}
    api = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "InferenceGraph"}
    return {**api, "metadata": {"name": name, "annotations": {MODE: "Standard"}}, "spec": spec}


POD_SELECTORS = {
    "inferenceservices": "serving.kserve.io/inferenceservice={}",
    "llminferenceservices": "app.kubernetes.io/part-of=llminferenceservice,app.kubernetes.io/name={}",
    "inferencegraphs": "serving.kserve.io/inferencegraph={}",
}


def plural_of(obj):
    return f"{obj['kind'].lower()}s"
