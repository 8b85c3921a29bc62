"""What runs beside the API's requests: it survives its own failures, and never keeps the app from ending."""

import asyncio

import pytest

from functions.api.background import Background


class Flaky:
    """Fails or ends the first times, then runs until it is cancelled."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.started = 0
        self.steady = asyncio.Event()
        self.cancelled = False

    async def run(self):
        self.started += 1
        if self.failures:
            if failure := self.failures.pop(0):
                raise failure
            return
        self.steady.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled = True


async def test_a_task_that_dies_or_ends_is_started_again_and_the_others_go_on():
    flaky, other = Flaky(ValueError("odd entry"), None, RecursionError()), Flaky()
    async with Background({"flaky": flaky.run, "other": other.run}, first_wait=0):
        await flaky.steady.wait()
        await other.steady.wait()
    assert (flaky.started, other.started) == (4, 1)
    assert flaky.cancelled
    assert other.cancelled


async def test_a_dead_task_keeps_nothing_from_being_closed():
    closed = []
    with pytest.raises(RuntimeError, match="of the app"):
        try:
            async with Background({"dead": Flaky(*[ValueError()] * 9).run}, first_wait=60):
                await asyncio.sleep(0)
                raise RuntimeError("of the app")
        finally:
            closed.append(True)
    assert closed


async def test_a_task_that_raises_while_it_is_cancelled_is_no_obstacle():
    began = asyncio.Event()

    async def bad():
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("the connection was broken")

    async with Background({"bad": bad}, first_wait=60):
        await began.wait()
