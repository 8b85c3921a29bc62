"""Twenty random schedules on real processes. Not part of `make test` while a known gap shows in about one of a hundred."""

import asyncio

import pytest
from schedules.plan import FEWEST_EVENTS
from schedules.worlds import Sprung, play_all

SAMPLE = range(1, 21)


@pytest.mark.timeout(600)
def test_nothing_is_lost_stale_doubled_or_diverged_in_a_sample(tmp_path):
    failed = asyncio.run(_play_all(tmp_path))
    assert not failed, "\n".join(failed)


async def _play_all(folder):
    failed = []
    async for played in play_all(SAMPLE, folder, Sprung()):
        seed = played.schedule.seed
        assert len(played.schedule.events) >= FEWEST_EVENTS
        if not played.verdict.good:
            again = f"make faults-schedules SEED={seed} N=1"
            failed.append("\n".join([f"seed {seed} ({again})", *played.verdict.findings, str(played.history)]))
    return failed
