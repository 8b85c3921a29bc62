"""How long a start takes beside the first deployment."""

import statistics
import time

import pytest
from kserve_models import IRIS, inference_service

SAMPLES = 3
PROMISED = 1.1
SLACK = 1.5


@pytest.mark.alone
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
