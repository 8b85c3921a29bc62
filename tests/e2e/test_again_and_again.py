"""Twenty times in a row, and how long a start takes beside the first deployment."""

import statistics
import time

from kserve_models import IRIS, inference_service
from place import lasting

TIMES = 20
SAMPLES = 5
PROMISED = 1.1
SLACK = 1.5


def test_twenty_stops_and_starts_leave_everything_as_it_was(place):
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


def test_a_start_takes_no_longer_than_the_first_deployment(place):
    """Medians; both end when the product shows `running`."""
    first, again = [], []
    for number in range(SAMPLES):
        name = f"model-{number}"
        begun = time.monotonic()
        place.running(inference_service(name, IRIS))
        first.append(time.monotonic() - begun)
        place.stop(name)
        place.until(name, "stopped")
        begun = time.monotonic()
        place.start(name)
        place.until(name, "running")
        again.append(time.monotonic() - begun)
        place.stop(name, graceful=False)
    ratio = statistics.median(again) / statistics.median(first)
    print(f"first {statistics.median(first):.2f} s, start {statistics.median(again):.2f} s, ratio {ratio:.2f} (<= {PROMISED})")
    assert ratio < PROMISED * SLACK
