"""What tenants may write into objects: what is as expected is read, the rest is named, and nothing is raised."""

import copy
from datetime import UTC, datetime

import pytest

from events.model import Kind, ModelRef
from functions.adapters import bounded_json
from functions.adapters.kserve.grace import _read_pin
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.observations import PodList, observe_object, servers_of
from functions.adapters.kserve.parsing import Unreadable
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.quota import Quota
from functions.adapters.kserve.schema import MOST_PODS, MOST_SECONDS
from functions.lifecycle.derive import derive
from functions.lifecycle.record import Record
from functions.lifecycle.scene import Limits

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REF = ModelRef(namespace="tenant", name="scorer")
POD = {
    "metadata": {
        "name": "scorer-1",
        "namespace": "tenant",
        "uid": "u1",
        "labels": {"component": "predictor"},
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {
        "nodeName": "n1",
        "terminationGracePeriodSeconds": 60,
        "containers": [{"name": "kserve-container", "resources": {"requests": {"memory": "1Gi", "nvidia.com/gpu": 1}}}],
    },
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}
MODEL = {
    "metadata": {"name": "scorer", "namespace": "tenant", "uid": "m1", "resourceVersion": "7"},
    "spec": {"predictor": {"model": {"storageUri": "s3://b/m"}}},
    "status": {"deploymentMode": "Standard", "conditions": [{"type": "Ready", "status": "True"}]},
}
ODD = [
    None,
    True,
    5,
    -1,
    10**400,
    1e400,
    float("nan"),
    "",
    "x" * 2**20,
    "\ud800",
    [],
    [[]],
    {},
    {"a": {"b": []}},
    [None],
    b"x",
]


def changed(item, path, value):
    """A copy with another value at `path`, whose parts are separated by bars."""
    made = copy.deepcopy(item)
    *way, last = (int(part) if part.isdecimal() else part for part in path.split("|"))
    place = made
    for part in way:
        place = place[part]
    place[last] = value
    return made


def observed(model, *pods, kind=Kind.INFERENCE_SERVICE):
    ref = ModelRef(namespace="tenant", name="scorer", kind=kind)
    return observe_object(ref, Model(kind, model), PodList.read(ref, {"items": list(pods)}), NOW)


def paths(item, way=""):
    for key, value in item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ():
        yield f"{way}{key}"
        yield from paths(value, f"{way}{key}|")


@pytest.mark.parametrize("path", list(paths(POD)))
def test_any_field_of_a_pod_may_be_anything_and_the_pod_is_still_one_of_the_model_s(path):
    for value in ODD:
        seen = observed(MODEL, changed(POD, path, value))
        assert len(seen.pods) == 1
        assert derive(seen, Record(ref=REF), Limits()).state
        assert len(str(seen.unusable)) < 8000


@pytest.mark.parametrize("path", list(paths(MODEL)))
def test_any_field_of_a_model_may_be_anything_and_it_is_still_observed(path):
    for value in ODD:
        for kind in Kind:
            seen = observed(changed(MODEL, path, value), POD, kind=kind)
            assert seen.exists
            assert derive(seen, Record(ref=REF), Limits()).state


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("spec|terminationGracePeriodSeconds", 10**15, "spec.terminationGracePeriodSeconds of pod scorer-1"),
        ("spec|terminationGracePeriodSeconds", "60", "spec.terminationGracePeriodSeconds of pod scorer-1"),
        ("spec|containers", {}, "spec.containers of pod scorer-1"),
        ("spec|containers|0|resources|requests|memory", "1_0Gi", "spec.containers[0].resources.requests.memory"),
        ("spec|containers|0|resources|requests|memory", "-1Gi", "spec.containers[0].resources.requests.memory"),
        ("metadata|creationTimestamp", "2026-01-01T00:00:00", "metadata.creationTimestamp of pod scorer-1"),
        ("metadata|creationTimestamp", "0000-01-01T00:00:00Z", "metadata.creationTimestamp of pod scorer-1"),
        ("metadata|labels|component", 5, "metadata.labels.component of pod scorer-1"),
        ("status|conditions|0|status", True, "status.conditions[0].status of pod scorer-1"),
        ("status|conditions|0", "Ready", "status.conditions[0] of pod scorer-1"),
        (
            "metadata|ownerReferences",
            [{"kind": "ReplicaSet", "name": "../../x", "uid": "1"}],
            "ownerReferences[0].name",
        ),
    ],
)
def test_a_field_that_cannot_be_read_is_named_with_what_stands_there(path, value, field):
    (problem,) = observed(MODEL, changed(POD, path, value)).unusable
    assert field in str(problem)
    assert "expected" in str(problem)


def test_what_can_be_read_of_such_a_pod_is():
    pod = read_pod(changed(POD, "spec|terminationGracePeriodSeconds", 10**15))
    assert (pod.gpus, pod.memory, pod.ready, pod.grace) == (1, 2**30, True, MOST_SECONDS)


@pytest.mark.parametrize("amount", ["1E", "1Ei", "100u", "100n", "16Ei", 5, "1e3"])
def test_every_legal_quantity_is_usable(amount):
    pod = read_pod(
        changed(POD, "spec|containers|0|resources", {"requests": {"memory": amount}, "limits": {"memory": amount}})
    )
    assert pod.unusable == ()


@pytest.mark.parametrize("pod", [None, 5, "pod", [], {}, {"metadata": []}, {"metadata": {"name": "x"}}])
def test_what_is_no_pod_at_all_still_keeps_its_model_from_being_stopped(pod):
    (seen,) = observed(MODEL, pod).pods
    assert not seen.ready
    with pytest.raises(Unreadable):
        read_pod(pod)


def test_thousands_of_pods_of_one_model_are_too_many():
    seen = observed(MODEL, *[POD] * (MOST_PODS + 1))
    assert len(seen.pods) == MOST_PODS
    assert "at most 1000" in str(seen.unusable[0])


def test_thousands_of_places_to_load_from_are_too_many():
    containers = [{"name": "c", "env": [{"name": "STORAGE_URI", "value": f"s3://b/{n}"} for n in range(500)]}]
    seen = observed(changed(MODEL, "spec|predictor", {"containers": containers}))
    assert len(seen.artifacts) == 100
    assert "expected at most 100" in str(seen.unusable[0])


def test_a_deep_field_that_nobody_reads_is_no_matter():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    made = {**MODEL, "spec": {**MODEL["spec"], "unknown": deep}}
    assert observed(made).unusable == ()


def test_who_set_an_annotation_is_read_past_entries_that_nobody_can_read():
    entry = {
        "manager": "kubectl",
        "time": "t",
        "fieldsV1": {"f:metadata": {"f:annotations": {"f:serving.kserve.io/stop": {}}}},
    }
    odd = [{"fieldsV1": {"f:metadata": []}}, {"fieldsV1": []}, 7, {"manager": 5}]
    assert observed(changed(MODEL, "metadata|managedFields", [*odd, entry])).stop_actor == "kubectl"


def test_a_look_that_fails_for_a_reason_that_nobody_foresaw_shows_it_on_the_model(monkeypatch):
    def too_deep(*_):
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(Model, "trouble", property(too_deep))
    seen = observed(changed(MODEL, "metadata|annotations", {"serving.kserve.io/stop": "true"}), POD)
    assert (seen.uid, seen.stop_wanted, len(seen.pods)) == ("m1", True, 1)
    assert "RecursionError" in str(seen.unusable[0])


def test_a_server_that_cannot_be_read_is_not_asked_and_the_others_are(monkeypatch):
    pods = [changed(POD, "metadata|uid", uid) for uid in ("a", "b")]
    pods[0]["spec"]["containers"][0]["ports"] = [{"name": "no number"}]
    listed = PodList.read(REF, {"items": pods})
    model = Model(Kind.INFERENCE_SERVICE, MODEL)
    seen = observe_object(REF, model, listed, NOW)
    assert "b" in [server.pod_uid for server in servers_of(model, seen, listed)]


@pytest.mark.parametrize("said", ["not a model", "", "namespaces/blue/inferenceservices/x", "x" * 10**6])
def test_what_is_no_pin_of_ours_in_its_own_namespace_is_none(said):
    item = {"kind": "ReplicaSet", "metadata": {"name": "r", "namespace": "tenant", "uid": "1"}}
    item["metadata"]["annotations"] = {"modelswitch.dev/model": said}
    with pytest.raises(ValueError):
        _read_pin(item)


def test_an_amount_of_a_quota_that_cannot_be_read_counts_as_none():
    quota = Quota.read(
        {
            "metadata": {"name": "q", "namespace": "n"},
            "spec": {"hard": {"requests.memory": "NaN", "pods": "4", "cpu": []}},
        }
    )
    assert quota.hard == {"pods": 4}


@pytest.mark.parametrize(
    "text",
    [
        b'{"items": [{"deep": ' + b"[" * 50_000 + b"]" * 50_000 + b'}, {"name": "a \\"]}[{ b"}]}',
        b'{"items": [{"big": ' + b"9" * 10_000 + b'}, {"name": "a \\"]}[{ b"}]}',
        b'{"items": [{"deep": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b'}, {"name": "a \\"]}[{ b"}]}',
    ],
    ids=["lists", "digits", "objects"],
)
def test_one_object_does_not_make_a_list_unreadable(text):
    assert bounded_json.loads(text)["items"][1] == {"name": 'a "]}[{ b'}


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"]]", b'{"a": "', b"\xff", b"nothing"])
def test_what_is_no_json_is_none(text):
    with pytest.raises(ValueError):
        bounded_json.loads(text)
