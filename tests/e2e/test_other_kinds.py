"""LLMInferenceService and InferenceGraph, and pods that a StatefulSet makes."""

import time

import pytest
from deadlines import eventually
from kserve_models import POD_SELECTORS, graph, inference_service, listener, llm
from place import lasting

STATEFUL_SETS = "/apis/apps/v1/namespaces/{}/statefulsets"


def test_an_llm_inference_service_comes_back_as_it_was(place):
    _stops_and_starts(place, llm("talker"), "llminferenceservices")


def test_an_inference_graph_comes_back_and_its_members_stay(place):
    place.running(inference_service("member"))
    member = place.record("member")
    _stops_and_starts(
        place, graph("route", "member"), "inferencegraphs", gone_in=45
    )  # KServe's router goes on for 30 s
    assert member.gone == {}
    assert place.shown("member")["state"] == "running"


def _stops_and_starts(place, obj, plural, gone_in=33):
    name = obj["metadata"]["name"]
    before = place.running(obj)
    recorder = place.record(name, plural)
    assert recorder.before
    place.stop(name, plural)
    eventually(lambda: recorder.all_gone, "no pod is left", gone_in)
    stopped = place.until(name, "stopped", plural=plural, seconds=10)
    assert stopped["receipt"]["pods"] == len(recorder.before)
    assert recorder.extra == []
    place.start(name, plural)
    place.until(name, "running", plural=plural)
    assert lasting(place.get(name, plural)) == lasting(before)


@pytest.mark.parametrize(("owner", "seconds"), [("deployment", 5), ("pod", 8)])
def test_a_forced_stop_of_a_stateful_sets_pods_leaves_none_and_makes_none(place, owner, seconds):
    """The shape of a multi-node model: a StatefulSet of the model's own makes pods that carry the model's labels.

    It is tied to what KServe deletes; or to the leader's pod, as LeaderWorkerSet's workers are, and then it only ends
    once that pod is gone.
    """
    place.running(inference_service("model"))
    workers = _workers(place, owner)
    eventually(lambda: len(_ready(place)) == 3, "the workers are ready too", 60)
    recorder = place.record("model")
    asked = time.monotonic()
    place.stop("model", graceful=False)
    eventually(lambda: recorder.all_gone, "no pod is left", 15)
    assert recorder.last_gone - asked < seconds
    assert recorder.extra == []
    assert recorder.graces == [1, 1, 1]
    stopped = place.until("model", "stopped")
    assert (stopped["receipt"]["pods"], len(stopped["receipt"]["grace"])) == (3, 3)
    path = STATEFUL_SETS.format(place.namespace)
    eventually(
        lambda: place.api.find(f"{path}/{workers}") is None, "the StatefulSet is gone: nothing keeps it pinned", 15
    )


def _ready(place):
    return [
        pod
        for pod in place.pods("model")
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
    ]


def _workers(place, kind):
    owner = _owner(place, kind)
    key, _, value = POD_SELECTORS["inferenceservices"].format("model").partition("=")
    labels = {key: value, "component": "predictor", "app": "model-workers"}
    body = {
        "metadata": {"name": "model-workers", "ownerReferences": [{**owner, "controller": True}]},
        "spec": {
            "replicas": 2,
            "serviceName": "model-workers",
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": "model-workers"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [listener("worker")]}},
        },
    }
    place.api.create(STATEFUL_SETS.format(place.namespace), body)
    return "model-workers"


def _owner(place, kind):
    if kind == "pod":
        reference, found = {"apiVersion": "v1", "kind": "Pod"}, place.pods("model")[0]
    else:
        deployments = f"/apis/apps/v1/namespaces/{place.namespace}/deployments"
        reference = {"apiVersion": "apps/v1", "kind": "Deployment"}
        found = place.api.get(f"{deployments}/model-predictor")
    return {**reference, "name": found["metadata"]["name"], "uid": found["metadata"]["uid"]}
