"""How long the resync rests after a pass."""

import pytest

from functions.tick.resync import rest_after


@pytest.mark.parametrize(("ticks", "seconds"), [(1, 0), (2, 5), (3, 7.5), (24, 60), (500, 60)])
def test_a_long_pass_is_followed_by_a_rest_of_half_its_time_and_a_minute_at_most(ticks, seconds):
    assert rest_after(ticks).total_seconds() == seconds
