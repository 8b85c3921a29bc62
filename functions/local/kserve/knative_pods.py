"""A revision's Deployment as Knative Serving makes it; queue-proxy is left out but for its drain."""

import copy

from functions.local.kserve.annotations import DRAIN_SECONDS, annotations_of, labels_of
from functions.local.kserve.podspec import server_port
from functions.local.kserve.resources import REVISION, Json, owned_by

_NOT_OF_THE_POD = {"containerConcurrency", "idleTimeoutSeconds", "responseStartTimeoutSeconds", "timeoutSeconds"}
LABEL = "serving.knative.dev"


def revision_deployment(revision: Json) -> Json:
    """Selected by the revision's uid, so the same revision name after a stop and start is a new ReplicaSet."""
    meta = revision["metadata"]
    labels = {
        **labels_of(revision),
        "app": meta["name"],
        f"{LABEL}/revision": meta["name"],
        f"{LABEL}/revisionUID": meta["uid"],
    }
    passed = {key: value for key, value in annotations_of(revision).items() if key != "sim.modelswitch.dev/template"}
    own = {"name": f"{meta['name']}-deployment", "namespace": meta["namespace"], "labels": labels}
    spec = {
        "selector": {"matchLabels": {f"{LABEL}/revisionUID": meta["uid"]}},
        "template": {"metadata": {"labels": labels, "annotations": passed}, "spec": _pod(revision)},
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
    }
    return {"metadata": owned_by(revision, REVISION, own), "spec": spec}


def _pod(revision: Json) -> Json:
    """The grace is the request timeout: 300 s, whatever the pod's spec said."""
    pod = {key: copy.deepcopy(value) for key, value in revision["spec"].items() if key not in _NOT_OF_THE_POD}
    pod["terminationGracePeriodSeconds"] = revision["spec"].get("timeoutSeconds", 300)
    server = pod["containers"][0]
    probe = {"tcpSocket": {"port": server_port(pod)}, "periodSeconds": 1, "timeoutSeconds": 1}
    asked = server.get("readinessProbe") or {}
    server["readinessProbe"] = asked if asked.keys() & {"httpGet", "exec", "tcpSocket", "grpc"} else probe
    drain = annotations_of(revision).get(DRAIN_SECONDS)
    if drain:
        server["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", drain]}}}
    return pod
