"""A sample of the rebuild: fewer models, and a ping every second."""

import pytest
from rebuild import rebuild


@pytest.mark.timeout(90)
async def test_after_a_loss_of_redis_everything_is_back_and_nobody_was_told_wrongly(tmp_path):
    outcome = await rebuild(500, tmp_path, ping_seconds=1.0)
    print(outcome.line)
    assert not outcome.wrong
    assert max(outcome.seconds) < 30
    assert outcome.right > 50
    assert outcome.away > 10
