"""Bodies and waiting for the tests of the Kubernetes API."""

import asyncio
import json
import time

ISVCS = "/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices"
PODS = "/api/v1/namespaces/{}/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
REPLICASETS = "/apis/apps/v1/namespaces/{}/replicasets"
QUOTAS = "/api/v1/namespaces/{}/resourcequotas"
CONFIGMAPS = "/api/v1/namespaces/{}/configmaps"
JSON_PATCH = {"content-type": "application/json-patch+json"}
MERGE_PATCH = {"content-type": "application/merge-patch+json"}


def isvc(name, **meta):
    spec = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/a"}}}
    kind = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    return {**kind, "metadata": {"name": name, **meta}, "spec": spec}


def pod_spec(gpus=0):
    resources = {"requests": {"memory": "8Mi"}} | ({"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {})
    container = {"name": "c", "image": "docker.io/local/pause:1", "imagePullPolicy": "Never", "resources": resources}
    return {"containers": [container]}


def pod(name, gpus=0):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod_spec(gpus)}


def deployment(name, replicas=1, gpus=0):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(gpus)}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


async def json_patch(client, path, *operations, **params):
    return await client.patch(path, content=json.dumps(operations), headers=JSON_PATCH, params=params)


async def merge_patch(client, path, patch, **params):
    return await client.patch(path, content=json.dumps(patch), headers=MERGE_PATCH, params=params)


async def eventually(look, what, seconds=40):
    """Look until the answer is true; answers it."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.05)
    return found


async def items(client, path, **params):
    return (await client.get(path, params=params)).json()["items"]


async def watched(client, path, **params):
    """The events of a watch that the server ends."""
    answer = await client.get(path, params={"watch": "1", "timeoutSeconds": 1, **params})
    return [json.loads(line) for line in answer.text.splitlines() if line]


def condition(obj, kind):
    """A condition of an object; {} where it has none, and for the Status of an object that is not there."""
    status = obj.get("status", {})
    found = status.get("conditions", []) if isinstance(status, dict) else []
    return next((entry for entry in found if entry["type"] == kind), {})
