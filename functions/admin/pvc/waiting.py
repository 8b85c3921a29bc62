"""Waiting for what the cluster does: a loader that runs, a Job that ends, a model that answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from functions.admin.pvc.errors import TimeIsOver
from functions.lifecycle.errors import ClusterUnavailable

POLL_SECONDS = 0.5
AWAY_SECONDS = 60.0
Answer = TypeVar("Answer")


async def steadily(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Asks again while the API server is away: a copy of an hour must not end for a minute of that. Only for reads."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(ClusterUnavailable),
        stop=stop_after_delay(AWAY_SECONDS),
        wait=wait_exponential(multiplier=0.2, max=5),
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            return await ask()
    raise AssertionError


@dataclass
class Patience:
    """How long a step may take (seconds), and how long trouble may last that often goes away by itself."""

    seconds: float
    trouble_seconds: float = 120.0
    poll_seconds: float = POLL_SECONDS

    async def looks(self, what: str) -> AsyncIterator[float]:
        """Seconds since the first look; ends with TimeIsOver."""
        begun = time.monotonic()
        while (elapsed := time.monotonic() - begun) <= self.seconds:
            yield elapsed
            await asyncio.sleep(self.poll_seconds)
        raise TimeIsOver(f"{what}: not within {self.seconds:.0f}s", "Look at it, then apply again with more time.")


@dataclass
class Trouble:
    """Something that is wrong, since when. `lasts` once the same kind of it has been there for that long."""

    since: float | None = None

    def lasts(self, message: str | None, seconds: float) -> bool:
        if message is None:
            self.since = None
            return False
        self.since = self.since if self.since is not None else time.monotonic()
        return time.monotonic() - self.since >= seconds
