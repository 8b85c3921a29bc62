"""How soon a stop is answered, done and shown, and how long a start takes beside the first deployment."""

import statistics
import time

import pytest
from deadlines import eventually
from kserve_models import IRIS, inference_service, knative
from place import took

MODES = {"standard": inference_service, "knative": knative}
SAMPLES = 3
PROMISED = 1.1
SLACK = 1.5
pytestmark = pytest.mark.alone


@pytest.mark.parametrize("mode", MODES)
def test_a_stop_is_answered_within_a_second_and_shown_within_two_of_the_last_pods_end(place, mode):
    place.running(MODES[mode]("model", IRIS))
    recorder = place.record("model")
    asked = time.monotonic()
    place.stop("model")
    assert took(asked) < 1
    eventually(lambda: recorder.all_gone, "no pod is left", 33)
    place.until("model", "stopped", seconds=10)
    assert took(recorder.last_gone) < 2

    place.start("model")
    place.until("model", "running")
    forced = place.record("model")
    asked = time.monotonic()
    place.stop("model", graceful=False)
    eventually(lambda: forced.all_gone, "no pod is left", 10)
    assert forced.last_gone - asked < 5
    place.until("model", "stopped", seconds=10)
    assert took(forced.last_gone) < 2


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
    print(
        f"first {statistics.median(first):.2f} s, start {statistics.median(again):.2f} s, ratio {ratio:.2f} (<= {PROMISED})"
    )
    assert ratio < PROMISED * SLACK
