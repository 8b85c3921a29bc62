"""What happens to requests: to a stopped model, and under way when it is stopped."""

import time

import httpx
import pytest
from deadlines import eventually
from kserve_models import IRIS, inference_service, knative
from place import took
from request_under_way import RequestUnderWay

MODES = {"standard": inference_service, "knative": knative}
WOULD_WAKE_WITHIN_SECONDS = 3


@pytest.mark.parametrize("mode", MODES)
def test_forced_cuts_a_request_of_a_minute_and_leaves_nothing(place, mode):
    place.running(MODES[mode]("model", IRIS))
    place.answers("model")
    recorder = place.record("model")
    request = RequestUnderWay(place.pod_address("model"), "model", 60)
    asked = time.monotonic()
    place.stop("model", graceful=False)
    eventually(lambda: recorder.all_gone, "no pod is left", 10)
    assert recorder.last_gone - asked < 5
    stopped = place.until("model", "stopped")
    assert took(recorder.last_gone) < 2
    assert request.join(5) is None
    assert recorder.extra == []
    assert [pod["grace_seconds"] for pod in stopped["receipt"]["grace"]] == [1]
    assert recorder.graces == [1]
    place.start("model")
    place.until("model", "running")
    place.answers("model")


def test_a_timeout_is_each_pods_grace_longer_or_shorter_than_its_own(place):
    """90 s where the pod says 30: a request of 45 s is answered. 30 s where Knative says 300."""
    long = inference_service("long", IRIS)
    place.running(long, knative("short", IRIS))
    own_grace = place.pods("short")[0]["spec"]["terminationGracePeriodSeconds"]
    assert own_grace == 300
    place.answers("long")
    recorders = {name: place.record(name) for name in ("long", "short")}
    request = RequestUnderWay(place.pod_address("long"), "long", 45)
    asked = time.monotonic()
    place.stop("long", timeout="90s")
    place.stop("short")
    eventually(lambda: recorders["short"].all_gone, "the pod without a request is gone", 33)
    assert recorders["short"].graces == [30]
    assert [pod["grace_seconds"] for pod in place.until("short", "stopped")["receipt"]["grace"]] == [30]
    assert request.join(60) == 200
    assert request.ended - asked > 40
    eventually(lambda: recorders["long"].all_gone, "the pod is gone once it has answered", 15)
    assert recorders["long"].last_gone >= request.ended - 0.5
    assert [pod["grace_seconds"] for pod in place.until("long", "stopped")["receipt"]["grace"]] == [90]
    assert [recorder.extra for recorder in recorders.values()] == [[], []]
    place.start("long")
    place.start("short")
    for name in ("long", "short"):
        place.until(name, "running")


def test_requests_to_a_stopped_model_wake_nothing(place):
    """Also one that was stopped at zero: only the annotation keeps that one down."""
    place.running(inference_service("standard"), knative("idle", least=0))
    place.until("idle", "running", reason="ScaledToZero", seconds=150)
    eventually(lambda: not place.pods("idle"), "no pod of the idle one", 60)
    services = {name: _service_addresses(place, name) for name in ("standard", "idle")}
    recorders = [place.record(name) for name in services]
    for name in services:
        place.stop(name)
    for name in services:
        stopped = place.until(name, "stopped")
        assert stopped["endpoints"]["available"] is False
    assert place.shown("idle")["receipt"]["pods"] == 0
    asking_until = time.monotonic() + WOULD_WAKE_WITHIN_SECONDS
    asked = 0
    while time.monotonic() < asking_until:
        for address in (address for addresses in services.values() for address in addresses):
            asked += _ask(address)
    assert asked
    assert [place.pods(name) for name in services] == [[], []]
    assert [recorder.extra for recorder in recorders] == [[], []]
    assert {place.shown(name)["state"] for name in services} == {"stopped"}
    place.start("idle")
    place.until("idle", "running")


def _service_addresses(place, name):
    """Where a caller would reach it: the ClusterIPs of its Services that have one."""
    found = place.api.items(f"/api/v1/namespaces/{place.namespace}/services")
    own = [service["spec"].get("clusterIP") for service in found if service["metadata"]["name"].startswith(name)]
    return [address for address in own if address not in {None, "", "None"}] or ["10.255.255.254"]


def _ask(address):
    try:
        httpx.post(f"http://{address}/v1/models/m:predict", json={"instances": []}, timeout=0.3, trust_env=False)
    except httpx.HTTPError:
        return 1
    return 1
