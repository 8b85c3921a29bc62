"""What happens to requests: to a stopped model, and in flight when it is stopped."""

import contextlib
import time

import httpx
import pytest
from deadlines import eventually
from kserve_models import IRIS, inference_service, knative
from place import took
from request_in_flight import RequestInFlight

MODES = {"standard": inference_service, "knative": knative}
WOULD_WAKE_WITHIN_SECONDS = 3


@pytest.mark.alone
@pytest.mark.parametrize("mode", MODES)
def test_forced_cuts_a_request_of_a_minute_and_leaves_nothing(place, mode):
    place.running(MODES[mode]("model", IRIS))
    place.answers("model")
    recorder = place.record("model")
    request = RequestInFlight(place.pod_address("model"), "model", 60)
    asked = time.monotonic()
    place.stop("model", graceful=False)
    eventually(lambda: recorder.all_gone, "no pod is left", 10)
    assert recorder.last_gone - asked < 5
    stopped = place.until("model", "stopped")
    assert took(recorder.last_gone) < 2
    assert request.status is None, "cut: whether its sender hears of that is up to the network"
    assert recorder.extra == []
    assert [pod["grace_seconds"] for pod in stopped["receipt"]["grace"]] == [1]
    assert recorder.graces == [1]
    place.start("model")
    place.until("model", "running")
    place.answers("model")


def test_requests_to_a_stopped_model_wake_nothing(place):
    """Also one that was stopped at zero: only the annotation keeps that one down."""
    place.running(inference_service("standard"), knative("idle", least=0))
    place.until("idle", "running", reason="ScaledToZero", seconds=150)
    eventually(lambda: not place.pods("idle"), "no pod of the idle one", 60)
    services = {name: _addresses(place, name) for name in ("standard", "idle")}
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


def test_knatives_grace_of_minutes_is_cut_to_the_default(place):
    """300 s by the pod's spec; 30 s where nobody asks for more."""
    place.running(knative("model", IRIS))
    assert place.pods("model")[0]["spec"]["terminationGracePeriodSeconds"] == 300
    recorder = place.record("model")
    place.stop("model")
    eventually(lambda: recorder.all_gone, "no pod is left", 33)
    assert recorder.graces == [30]
    assert [pod["grace_seconds"] for pod in place.until("model", "stopped")["receipt"]["grace"]] == [30]
    assert recorder.extra == []


def _addresses(place, name):
    """Where a caller would reach it: its Services' ClusterIPs and its URL."""
    found = place.api.items(f"/api/v1/namespaces/{place.namespace}/services")
    own = [service["spec"].get("clusterIP") for service in found if service["metadata"]["name"].startswith(name)]
    addresses = [f"http://{address}" for address in own if address not in {None, "", "None"}]
    return [*addresses, place.get(name)["status"]["url"]]


def _ask(address):
    """Whatever comes of it; 1, to be counted."""
    with contextlib.suppress(httpx.HTTPError):
        httpx.post(f"{address}/v1/models/m:predict", json={"instances": []}, timeout=0.3, trust_env=False)
    return 1
