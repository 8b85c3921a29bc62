"""A model and what belongs to it, as plain objects of a real API server; no controller of KServe's looks at them."""

LABELS = {"serving.kserve.io/inferenceservice": "scorer", "component": "predictor", "app": "isvc.scorer-predictor"}
CONTAINER = {"name": "kserve-container", "image": "docker.io/local/none:1"}


def model(name="scorer", annotations=None):
    container = {"name": "kserve-container", "image": "docker.io/local/none:1", "env": []}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "labels": {"team": "fraud"}, "annotations": annotations or {}},
        "spec": {"predictor": {"containers": [container]}},
    }


def pod(name, labels=LABELS, annotations=None, node=None):
    """No scheduler takes it, so it stays as it is made; `node` need not be there."""
    spec = {"schedulerName": "none", "containers": [CONTAINER], "automountServiceAccountToken": False}
    if node:
        spec["nodeName"] = node
    metadata = {"name": name, "labels": labels, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def replica_set(name, labels=LABELS, replicas=0):
    template = {"metadata": {"labels": labels}, "spec": {"schedulerName": "none", "containers": [CONTAINER]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "labels": labels}, "spec": spec}


def stateful_set(name, labels=LABELS):
    made = replica_set(name, labels)
    return {**made, "kind": "StatefulSet", "spec": {**made["spec"], "serviceName": name}}
