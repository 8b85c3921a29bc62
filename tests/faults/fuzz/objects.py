"""Kubernetes objects as no client should write them: right ones, with a few fields of another kind. Sans I/O."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

TENANT = "tenant"
DIGITS, DEEP_LIST, DEEP_OBJECT = "@digits@", "@deep-list@", "@deep-object@"
"""Stand for what Python's json writes no more than it reads it; `to_json` puts it in."""
_RAW = {
    DIGITS: b"9" * 5000,
    DEEP_LIST: b"[" * 9000 + b"]" * 9000,
    DEEP_OBJECT: b'{"a":' * 9000 + b"1" + b"}" * 9000,
}
NOTE = {
    "holds": [{"kind": "user", "actor": "ops", "reason": "r", "since": "2026-01-01T00:00:00Z"}],
    "source": "rest:ops",
    "command": "1",
    "sequence": 3,
    "since": "2026-01-01T00:00:00Z",
    "grace": 20,
    "pods": [
        {
            "uid": "1",
            "name": "p",
            "component": "predictor",
            "gpus": 1,
            "memory": 1,
            "grace": 5,
            "requests": {"cpu": "1"},
        }
    ],
    "also": ["a b"],
    "queued": {"source": "x", "id": "1", "actor": "z", "expires_at": "2099-01-01T00:00:00Z"},
}


@dataclass(frozen=True)
class Placed:
    """An object as the API server files it, whatever is written in it."""

    plural: str
    name: str
    body: Any
    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = TENANT

    def __repr__(self) -> str:
        return f"{self.plural}/{self.name} {to_json(self.body)[:1500]!s}"


def to_json(body: Any) -> bytes:
    text = json.dumps(body).encode()
    for word, raw in _RAW.items():
        text = text.replace(b'"' + word.encode() + b'"', raw)
    return text


def pod(name: str, model: str, uid: str = "", ready: str = "True", **labels: str) -> dict[str, Any]:
    """A pod of an InferenceService that runs."""
    return {
        "metadata": {
            "name": name,
            "namespace": TENANT,
            "uid": uid or f"uid-{name}",
            "resourceVersion": "5",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"serving.kserve.io/inferenceservice": model, "component": "predictor", **labels},
            "annotations": {"prometheus.io/port": "8080", "modelswitch.dev/artifact-digest": "sha256:1"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{model}-1", "uid": "rs", "controller": True}],
        },
        "spec": {
            "nodeName": "node1",
            "terminationGracePeriodSeconds": 30,
            "schedulerName": "default-scheduler",
            "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}],
            "overhead": {"memory": "1Mi"},
            "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}},
            "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
            "containers": [
                {
                    "name": "kserve-container",
                    "image": "i",
                    "args": ["--model_name=m", "--port", "8080"],
                    "env": [{"name": "A", "value": "b"}],
                    "ports": [{"containerPort": 8080, "name": "http"}],
                    "readinessProbe": {"httpGet": {"path": "/", "scheme": "HTTP"}},
                    "resources": {
                        "requests": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"},
                        "limits": {"memory": "2Gi"},
                    },
                }
            ],
            "initContainers": [
                {"name": "storage-initializer", "args": ["s3://b/m", "/mnt"], "restartPolicy": "Always"}
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "containerStatuses": [
                {
                    "name": "kserve-container",
                    "ready": ready == "True",
                    "restartCount": 2,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                    "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "m"}},
                }
            ],
            "initContainerStatuses": [
                {"name": "storage-initializer", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
            ],
            "resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "gpu-1"}],
        },
    }


def model(name: str, annotations: dict[str, str] | None = None, stopped: str = "False") -> dict[str, Any]:
    """An InferenceService, as KServe shows it."""
    ready = "False" if stopped == "True" else "True"
    return {
        "metadata": {
            "name": name,
            "namespace": TENANT,
            "uid": f"uid-{name}",
            "resourceVersion": "7",
            "generation": 2,
            "labels": {"team": "x"},
            "annotations": annotations
            or {"serving.kserve.io/autoscalerClass": "hpa", "modelswitch.dev/smoke-test": "{}"},
            "finalizers": ["f"],
            "managedFields": [
                {
                    "manager": "kubectl",
                    "time": "2026-01-01T00:00:00Z",
                    "fieldsV1": {"f:metadata": {"f:annotations": {"f:serving.kserve.io/stop": {}}}},
                }
            ],
        },
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "canaryTrafficPercent": 10,
                "deploymentStrategy": {"type": "Recreate"},
                "model": {
                    "runtime": "sklearn",
                    "protocolVersion": "v2",
                    "storageUri": "s3://b/m",
                    "storage": {"key": "k", "path": "p", "parameters": {"bucket": "b"}},
                },
                "containers": [{"name": "c", "env": [{"name": "STORAGE_URI", "value": "s3://b/x"}]}],
                "storageUris": [{"uri": "pvc://c/x"}],
            },
            "canary": [{"trafficPercent": 10, "predictor": {"name": "v2", "model": {"storageUri": "s3://b/n"}}}],
            "suspend": False,
        },
        "status": {
            "url": "http://m",
            "address": {"url": "http://m"},
            "addresses": [{"url": "http://m"}],
            "deploymentMode": "Knative",
            "canaryStatuses": [{"name": "v2", "ready": True}],
            "modelStatus": {"transitionStatus": "InvalidSpec", "lastFailureInfo": {"reason": "R", "message": "m"}},
            "components": {
                "predictor": {"traffic": [{"revisionName": "r", "percent": 10}], "latestReadyRevision": "r"}
            },
            "conditions": [
                {"type": "Ready", "status": ready, "reason": "Stopped", "lastTransitionTime": "2026-01-01T00:00:00Z"},
                {"type": "PredictorReady", "status": ready, "reason": "FailedCreate", "message": "exceeded quota"},
                {"type": "Stopped", "status": stopped},
                {"type": "IngressReady", "status": ready},
            ],
        },
    }


_STOPPED = {"serving.kserve.io/stop": "true", "modelswitch.dev/stop": json.dumps(NOTE)}
_LLM = {
    **model("llm"),
    "spec": {
        "replicas": 1,
        "model": {"name": "n", "uri": "hf://a/b", "lora": {"adapters": [{"name": "a", "uri": "hf://a/c"}]}},
    },
}
_GRAPH = {
    **model("graph"),
    "spec": {
        "nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceName": "odd"}, {"serviceURL": "http://x"}]}}
    },
}
_OWN = {"serving.kserve.io/inferenceservice": "odd"}
_PINNED = {"modelswitch.dev/pinned": "true"}
_WORKLOAD = {
    "metadata": {
        "name": "odd-1",
        "namespace": TENANT,
        "uid": "rs",
        "resourceVersion": "3",
        "labels": _PINNED,
        "annotations": {"modelswitch.dev/model": f"namespaces/{TENANT}/inferenceservices/odd"},
        "finalizers": ["modelswitch.dev/grace"],
    },
    "spec": {"replicas": 1},
}
_QUOTA = {
    "metadata": {"name": "quota", "namespace": TENANT, "uid": "q"},
    "spec": {"hard": {"requests.memory": "1Ei", "requests.nvidia.com/gpu": "4", "pods": 10}, "scopes": []},
    "status": {"hard": {"pods": "10"}, "used": {"pods": "1"}},
}
_LEAVING = {"modelswitch.dev/handover": "leaving"}
_WAITING = {
    "status": {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
    }
}
_GATED = {
    "status": {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
    }
}
TEMPLATES = (
    Placed("inferenceservices", "odd", model("odd")),
    Placed("inferenceservices", "odd", model("odd", _STOPPED, "True")),
    Placed("inferenceservices", "odd", model("odd", {**_STOPPED, "modelswitch.dev/smoke-test": "configmap"}, "False")),
    Placed("llminferenceservices", "llm", _LLM),
    Placed("inferencegraphs", "graph", _GRAPH),
    Placed("pods", "odd-a", pod("odd-a", "odd"), _OWN),
    Placed("pods", "odd-b", pod("odd-b", "odd", ready="False", **_LEAVING), {**_OWN, **_LEAVING}),
    Placed("pods", "odd-c", {**pod("odd-c", "nobody"), **_WAITING}, {"serving.kserve.io/inferenceservice": "nobody"}),
    Placed("pods", "odd-d", {**pod("odd-d", "odd"), **_GATED}, {**_OWN, "kueue.x-k8s.io/queue-name": "q"}),
    Placed("replicasets", "odd-1", _WORKLOAD, _PINNED),
    Placed("statefulsets", "odd-1", _WORKLOAD, _PINNED),
    Placed("resourcequotas", "quota", _QUOTA),
)
_FILED_UNDER = {("metadata", "name"), ("metadata", "namespace")}  # which the API server writes itself

odd_moments = st.sampled_from(
    [
        "2026-01-01T00:00:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59Z",
        "1969-01-01T00:00:00Z",
        "2026-01-01T00:00:00+99:99",
        "2026-02-30T00:00:00Z",
        "20260101",
        "now",
    ]
)
odd_quantities = st.sampled_from(
    [
        "1Ei",
        "1E",
        "100u",
        "100n",
        "-1",
        "+1",
        "1e999999999",
        "1e-999999999",
        "NaN",
        "Infinity",
        "1_0",
        "٣",
        "9" * 200,
        ".",
        "16Ei",
    ]
)
odd_numbers = st.one_of(
    st.sampled_from([10**15, 10**400, -1, 0, 2**31, 2**63, 2**64, -(10**30), 1e308, float("nan"), float("inf"), True]),
    st.integers(),
    st.floats(),
)
odd_texts = st.one_of(
    st.sampled_from(
        [
            "x" * 2**20,
            "é" * 5000,
            "\ud800",
            "\x00",
            "../../x",
            "a/b",
            "true",
            "not a model",
            "[" * 100_000,
            '{"a":' * 50_000,
            "configmap",
        ]
    ),
    st.text(st.characters(), max_size=20),
)
raw = st.sampled_from([DIGITS, DEEP_LIST, DEEP_OBJECT])
odd_scalars = st.one_of(st.none(), st.booleans(), odd_moments, odd_quantities, odd_numbers, odd_texts, raw)
odd_values = st.one_of(
    odd_scalars,
    st.recursive(
        odd_scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if (*way, key) not in _FILED_UNDER:
            yield (*way, key)
            yield from _places(inner, (*way, key))


def _changed(draw: Callable, value: Any, how: int, keep: tuple[tuple[Any, ...], ...] = ()) -> Any:
    """One field of another kind, gone, doubled, or an unknown one more."""
    places = [place for place in _places(value) if place not in keep]
    if not places:
        return value
    *way, last = draw(st.sampled_from(places))
    made = copy.deepcopy(value)
    place = made
    for key in way:
        place = place[key]
    match how:
        case 0 if isinstance(place, dict):
            del place[last]
        case 1 if isinstance(place, list):
            place.extend([place[last]] * draw(st.sampled_from([1, 200, 2000])))
        case 2 if isinstance(place, dict):
            place[draw(st.text(max_size=8))] = draw(odd_values)
        case 3 if inner := _document(place[last]):
            place[last] = to_json(_changed(draw, inner, 9)).decode()
        case _:
            place[last] = draw(odd_values)
    return made


def _document(text: Any) -> dict[str, Any] | None:
    """The JSON object in a string; None where there is none, or one that was made too deep to read before."""
    if not isinstance(text, str) or not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@st.composite
def hostile(draw: Callable) -> Placed:
    """One to three fields are odd; now and then the metadata, the spec or all of it."""
    made = draw(st.sampled_from(TEMPLATES))
    body = made.body
    for _ in range(draw(st.integers(1, 3))):
        body = _changed(draw, body, draw(st.integers(0, 9)))
    if draw(st.integers(0, 60)) == 0:
        body = draw(odd_values)
    return Placed(made.plural, made.name, body, made.labels)
