"""What takes long: a request of 45 s that a stop lets end, and meanwhile twenty stops and starts in a row."""

import pytest
from deadlines import eventually
from kserve_models import IRIS, inference_service
from place import lasting
from request_in_flight import RequestInFlight

LONG_SECONDS = 45
TIMES = 20
pytestmark = pytest.mark.xdist_group("long drain")


@pytest.fixture(scope="module")
def long_drain(new_place):
    """A request of 45 s meets a stop with a timeout of 90 s: in flight while the other tests run, judged by the last of this file."""
    place = new_place()
    place.running(inference_service("long", IRIS))
    place.answers("long")
    recorder = place.record("long")
    request = RequestInFlight(place.pod_address("long"), "long", LONG_SECONDS)
    place.stop("long", timeout="90s")
    yield place, recorder, request
    place.leave()


def test_twenty_stops_and_starts_leave_everything_as_it_was(place, long_drain):
    before = place.running(inference_service("model"))
    done = 0
    for _ in range(TIMES):
        place.stop("model", graceful=False)
        place.until("model", "stopped", seconds=33)
        assert place.pods("model") == []
        place.start("model")
        place.until("model", "running", seconds=60)
        done += 1
    assert done == TIMES
    assert lasting(place.get("model")) == lasting(before)


def test_a_long_timeout_lets_a_long_request_end(long_drain):
    """30 s by the pod's spec; the request of 45 s is answered, and the pod goes behind it."""
    place, recorder, request = long_drain
    assert request.join(LONG_SECONDS + 15) == 200
    eventually(lambda: recorder.all_gone, "the pod is gone once it has answered", 15)
    assert recorder.last_gone >= request.ended - 0.5
    assert recorder.graces == [90]
    stopped = place.until("long", "stopped")
    assert [pod["grace_seconds"] for pod in stopped["receipt"]["grace"]] == [90]
    assert stopped["receipt"]["seconds"] > 35
    assert recorder.extra == []
    place.start("long")
    place.until("long", "running")
