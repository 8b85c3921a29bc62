"""A stop and a start over REST: nothing is left while it is stopped, and everything is as it was when it is back."""

import time

import pytest
from deadlines import eventually
from kserve_models import IRIS, inference_service, knative, server
from place import lasting, took

EXTERNAL = {"serving.kserve.io/autoscalerClass": "external"}
SHAPES = {
    "no-annotations": lambda: inference_service("model", IRIS, mode=None),
    "stop-false": lambda: inference_service("model", IRIS, annotations={"serving.kserve.io/stop": "false"}),
    "hpa": lambda: inference_service("model", IRIS, minReplicas=1, maxReplicas=3, scaleMetric="cpu", scaleTarget=70),
    "external-autoscaler": lambda: inference_service("model", IRIS, annotations=EXTERNAL),
    "transformer": lambda: inference_service("model", IRIS, transformer=server("kserve-container", "model")),
    "knative": lambda: knative("model", IRIS),
}
HASHES = {"Standard": "pod-template-hash", "Knative": "serving.knative.dev/revision"}


@pytest.mark.alone
@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_comes_back_as_it_was(place, shape):
    before = place.running(SHAPES[shape]())
    ran = place.pods("model")
    recorder = place.record("model")

    asked = time.monotonic()
    answer = place.stop("model", reason="night")
    assert took(asked) < 1
    assert (answer["changed"], answer["recorded"], answer["status"]["desired"]) == (True, True, "stopped")
    eventually(lambda: recorder.all_gone, "no pod is left", 33)
    stopped = place.until("model", "stopped", seconds=10)
    assert took(recorder.last_gone) < 2
    assert recorder.extra == []
    _receipt_is_exact(stopped, ran, recorder)
    assert (stopped["resource_allocation"], stopped["endpoints"]["available"]) == ({"gpus": 0, "memory": "0Gi"}, False)
    assert stopped["endpoints"]["inference"] == before["status"]["url"]
    assert place.get("model")["metadata"]["generation"] == 1

    place.start("model")
    place.until("model", "running")
    place.answers("model")
    after = place.get("model")
    assert lasting(after) == lasting(before)
    assert after["metadata"]["generation"] == 1
    label = HASHES[before["status"]["deploymentMode"]]
    assert _versions(place.pods("model"), label) == _versions(ran, label)


def _receipt_is_exact(stopped, ran, recorder):
    receipt = stopped["receipt"]
    names = sorted(pod["metadata"]["name"] for pod in ran)
    assert receipt["complete"]
    assert (receipt["pods"], receipt["gpus"], receipt["memory"]) == (len(ran), 0, f"{_mebibytes(ran)}Mi")
    assert [pod["name"] for pod in receipt["grace"]] == names
    assert sorted(pod["grace_seconds"] for pod in receipt["grace"]) == recorder.graces
    assert 0 < receipt["seconds"] < 33


def _mebibytes(pods):
    containers = [container for pod in pods for container in pod["spec"]["containers"]]
    requests = [(container.get("resources", {}).get("requests") or {}).get("memory", "0Mi") for container in containers]
    return sum(int(request.removesuffix("Mi")) for request in requests)


def _versions(pods, label):
    """The template's hash; in Knative mode, where that contains the revision's uid, the revision's name."""
    return sorted({pod["metadata"]["labels"][label] for pod in pods})
