"""Models for the tests of the simulated KServe, small enough to start within a second or two on a real cluster."""

import os

IMAGE = os.environ.get("MODELSWITCH_TEST_IMAGE", "docker.io/local/modelserver:1")
PLURALS = {
    "InferenceService": "inferenceservices",
    "LLMInferenceService": "llminferenceservices",
    "InferenceGraph": "inferencegraphs",
}
SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}
LISTEN = """
import os, signal, threading
from http.server import SimpleHTTPRequestHandler, test
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(2, os._exit, [0]).start())
test(SimpleHTTPRequestHandler, port=8080)
"""
READY_WHEN_LISTENING = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}


def listener(name, **more):
    """A container that listens on 8080; it ends two seconds after SIGTERM, so a stop can be watched."""
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", LISTEN],
        "resources": SMALL,
        "readinessProbe": READY_WHEN_LISTENING,
        **more,
    }


def runtime(namespace, name="listener", **more):
    spec = {
        "annotations": {
            "sim.modelswitch.dev/start-seconds": "0.3",
            "sim.modelswitch.dev/shutdown-seconds": "2",
            "sim.modelswitch.dev/idle-seconds": "2",
        },
        "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": True}],
        "containers": [listener("kserve-container")],
        **more,
    }
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def inference_service(namespace, name, mode="Standard", annotations=None, transformer=None, **predictor):
    model = {"modelFormat": {"name": "sklearn"}, **predictor.pop("model", {})}
    spec = {"predictor": {"model": model, **predictor}}
    if mode == "Standard":
        spec["predictor"].setdefault("terminationGracePeriodSeconds", 3)
    if transformer:
        spec["transformer"] = transformer
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {"serving.kserve.io/deploymentMode": mode, **(annotations or {})},
        },
        "spec": spec,
    }


def llm(namespace, name, annotations=None):
    pod = {"containers": [listener("main")], "terminationGracePeriodSeconds": 2}
    spec = {"model": {"uri": "hf://facebook/opt-125m", "name": name}, "replicas": 1, "template": pod}
    return {"metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}}, "spec": spec}


def graph(namespace, name, *members):
    steps = [{"name": member, "serviceName": member} for member in members]
    spec = {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}}
    meta = {"name": name, "namespace": namespace, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}}
    return {"metadata": meta, "spec": spec}
