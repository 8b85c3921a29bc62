"""Redis loses everything while many models are known: how long until all is back, and whether anybody is told wrongly.

The tick gets a ping every 5 s, as a PingSource sends it, answered or not; tick, API and Redis are real processes. The last
line gives the figures.
"""

import argparse
import asyncio
import contextlib
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from api_session import named_kubeconfig
from rebuild_judge import Judge
from rebuild_models import models
from rebuild_place import Place, plain_cluster, processes, writer

from events.status import State

PING_SECONDS = 5.0
GOAL_SECONDS = 30.0
DEADLINE_SECONDS = 120.0
ASKERS = 3
ROUNDS = ("while nothing happens", "in the middle of a rebuild")


@dataclass(frozen=True)
class Outcome:
    """`seconds` of each round: from the last FLUSHALL to a complete list."""

    count: int
    seconds: tuple[float, ...]
    right: int
    away: int
    wrong: tuple[str, ...]

    @property
    def line(self) -> str:
        slowest = max(self.seconds)
        counts = f"answers={self.right:,} unavailable={self.away:,}"
        return f"rebuild models={self.count:,} seconds={slowest:.1f} goal={GOAL_SECONDS:.0f} {counts} wrong={len(self.wrong)}"


@contextlib.asynccontextmanager
async def _pings(session: aiohttp.ClientSession, url: str, every: float) -> AsyncIterator[None]:
    """Whether the one before was answered or not: a broker does not wait either."""
    sent: set[asyncio.Task] = set()

    async def ping(number: int) -> None:
        headers = {"ce-specversion": "1.0", "ce-id": f"ping-{number}", "ce-source": "/ping"}
        with contextlib.suppress(aiohttp.ClientError):
            async with session.post(url, data=b"{}", headers={**headers, "ce-type": "dev.knative.sources.ping"}) as got:
                await got.read()

    async def tick() -> None:
        number = 0
        while True:
            number += 1
            task = asyncio.create_task(ping(number))
            sent.add(task)
            task.add_done_callback(sent.discard)
            await asyncio.sleep(every)

    running = asyncio.create_task(tick())
    try:
        yield
    finally:
        for task in (running, *sent):
            task.cancel()
        await asyncio.gather(running, *sent, return_exceptions=True)


async def _until_synced(judge: Judge) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while (await judge.ask("GET", "/models?limit=1"))[0] == 503:
        if time.monotonic() > end:
            raise RuntimeError(f"the lists did not come back within {DEADLINE_SECONDS:.0f}s")
        await asyncio.sleep(0.1)


async def _lose(place: Place, judge: Judge, *, twice: bool) -> float:
    """Seconds from the (second) FLUSHALL until lists are answered again."""
    done = asyncio.Event()
    asking = [asyncio.create_task(judge.until(done)) for _ in range(ASKERS)]
    changing = asyncio.create_task(_change(judge, number=3 if twice else 0))
    redis = place.redis.client()
    redis.flushall()
    if twice:
        while redis.zcard("{modelswitch}:models") < len(judge.models) * 0.4:
            await asyncio.sleep(0.02)
        redis.flushall()
    began = time.monotonic()
    await _until_synced(judge)
    seconds = time.monotonic() - began
    await changing
    done.set()
    await asyncio.gather(*asking)
    await judge.verify()
    return seconds


async def _change(judge: Judge, number: int) -> None:
    """Stops of models that run and starts of stopped ones, from the middle on."""
    later = judge.models[len(judge.models) // 2 :]
    running = [model for model in later if model.state is State.RUNNING and model.pod]
    stopped = [model for model in later if model.stop]
    for one, other in zip(running[number : number + 3], stopped[number : number + 3], strict=True):
        await judge.change("stop", one)
        await judge.change("start", other)
        await asyncio.sleep(0.5)


async def rebuild(count: int, folder: Path, ping_seconds: float = PING_SECONDS) -> Outcome:
    """Raises where the rig does not come up; what the API got wrong is in the outcome."""
    made = models(count, f"rebuild-{secrets.token_hex(3)}")
    real = named_kubeconfig()
    with contextlib.ExitStack() as stack:
        kubeconfig = real or stack.enter_context(plain_cluster(folder))
        place = stack.enter_context(processes(folder, kubeconfig))
        async with writer(kubeconfig) as write, aiohttp.ClientSession() as session:
            began = time.monotonic()
            try:
                await write.fill(made)
                print(f"{count:,} models made in {time.monotonic() - began:.0f}s", flush=True)
                judge = Judge(session, place.api, made)
                async with _pings(session, place.tick, ping_seconds):
                    await _until_synced(judge)
                    await judge.learn()
                    seconds = []
                    for name in ROUNDS:
                        seconds.append(await _lose(place, judge, twice=name == ROUNDS[1]))
                        print(f"FLUSHALL {name}: everything was back after {seconds[-1]:.1f}s", flush=True)
            finally:
                if real:
                    await write.empty(made)
    tally = judge.tally
    return Outcome(count, tuple(seconds), tally.right.total(), tally.away.total(), tuple(tally.wrong))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10_000)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its processes must not outlive it
    with tempfile.TemporaryDirectory(prefix="modelswitch-rebuild-") as folder:
        outcome = asyncio.run(rebuild(given.models, Path(folder)))
    for wrong in outcome.wrong[:20]:
        print(f"wrong: {wrong}")
    print(outcome.line)
    return int(bool(outcome.wrong) or max(outcome.seconds) > GOAL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
