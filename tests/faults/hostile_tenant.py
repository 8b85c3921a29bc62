"""One hostile tenant at full speed beside 100 models of others: whether those notice. Real processes, real HTTP, real Redis.

The tenant makes objects of every odd kind and sends commands, notifications and refused events, all as fast as it can. The last line
gives the figures: how long a stop of another tenant's model takes, quiet and beside it; the timer's answers; memory.
"""

import argparse
import asyncio
import contextlib
import json
import secrets
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from api_session import named_kubeconfig
from rebuild_judge import Judge
from rebuild_models import Model, models
from rebuild_place import MERGE, Place, Writer, plain_cluster, processes, writer

from events.status import State

PING_SECONDS = 5.0
STOPS = 20
SLOWER_AT_MOST = 2.0
RIGHT_WITHIN_SECONDS = 30.0
NOISE = Path(__file__).with_name("hostile_noise.py")


@dataclass(frozen=True)
class Outcome:
    """Times in milliseconds, medians; `bare` of one PATCH of a model by itself, quiet and beside: what the API server costs
    every client. `wrong`: what another tenant saw that was not right. `memory`: MiB at most, by process."""

    objects: int
    events: int
    quiet: float
    beside: float
    bare: tuple[float, float]
    rounds: int
    wrong: tuple[str, ...]
    memory: dict[str, float]

    @property
    def line(self) -> str:
        memory = " ".join(f"{name}_mib={size:.0f}" for name, size in self.memory.items())
        return (
            f"hostile objects={self.objects:,} events={self.events:,} stop_quiet_ms={self.quiet:.0f} stop_beside_ms={self.beside:.0f} "
            f"ratio={self.beside / self.quiet:.2f} goal={SLOWER_AT_MOST:.0f} "
            f"patch_quiet_ms={self.bare[0]:.0f} patch_beside_ms={self.bare[1]:.0f} patch_ratio={self.bare[1] / self.bare[0]:.2f} "
            f"timer_rounds={self.rounds} {memory} wrong={len(self.wrong)}"
        )


class Watcher:
    """Pings the timer as a PingSource does, and keeps what its answers and the memory of everything came to."""

    def __init__(self, session: aiohttp.ClientSession, place: Place) -> None:
        self._session, self._place = session, place
        self.rounds, self.wrong, self.memory = 0, [], {}

    async def run(self) -> None:
        while True:
            began = time.monotonic()
            await self._ping()
            self._weigh()
            await asyncio.sleep(max(0.0, PING_SECONDS - (time.monotonic() - began)))

    async def _ping(self) -> None:
        headers = {
            "ce-specversion": "1.0",
            "ce-id": secrets.token_hex(4),
            "ce-source": "/ping",
            "ce-type": "dev.knative.sources.ping",
        }
        async with self._session.post(self._place.tick, data=b"{}", headers=headers) as answer:
            self.rounds += 1
            if answer.status != 202:
                self.wrong.append(f"the timer answered {answer.status} {(await answer.text())[:200]}")

    def _weigh(self) -> None:
        sizes = {name: _resident(pid) for name, pid in self._place.pids.items()}
        sizes["redis"] = self._place.redis.client().info("memory")["used_memory"] / 2**20
        self.memory = {name: max(size, self.memory.get(name, 0.0)) for name, size in sizes.items()}


def _resident(pid: int) -> float:
    """MiB of a process and its children."""
    pages = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for one in (pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def _stop(
    session: aiohttp.ClientSession, place: Place, write: Writer, chosen: list[Model], wrong: list[str]
) -> tuple[float, float]:
    """Stops them one by one; the median of the milliseconds until each was accepted, and of a bare PATCH after each."""
    taken, bare = [], []
    for model in chosen:
        began = time.monotonic()
        path = f"/api/v1/namespaces/{model.ref.namespace}/models/{model.ref.name}/stop"
        async with session.post(place.api + path, params={"kind": model.ref.kind.value}, json={}) as answer:
            if answer.status != 202:
                wrong.append(f"stop of {model.ref}: {answer.status} {(await answer.text())[:200]}")
        taken.append((time.monotonic() - began) * 1000)
        began = time.monotonic()
        labels = {"metadata": {"labels": {"example.com/patched": "yes"}}}
        await write.call("PATCH", f"{model.collection}/{model.ref.name}", labels, kind=MERGE)
        bare.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(0.05)
    return statistics.median(taken), statistics.median(bare)


async def _all_right(judge: Judge, others: list[Model], stopped: set[str]) -> list[str]:
    """What the list says wrongly of the other tenants' models."""
    found = await judge.everything()
    if found is None:
        return ["the list is not answered"]
    wrong = []
    for model in others:
        wanted = {State.STOPPING, State.STOPPED, State.ERROR} if model.ref.subject in stopped else {model.state}
        shown = found[0].get(model.ref.subject)
        if shown is None or State(shown["state"]) not in wanted:
            wrong.append(f"{model.ref} is shown as {shown and shown['state']}, expected {wanted}")
    return wrong


async def beside(objects: int, events: int, folder: Path) -> Outcome:
    """Raises where the rig does not come up; what others saw that was wrong is in the outcome."""
    run = secrets.token_hex(3)
    others = models(100, f"others-{run}")
    real = named_kubeconfig()
    with contextlib.ExitStack() as stack:
        kubeconfig = real or stack.enter_context(plain_cluster(folder))
        place = stack.enter_context(processes(folder, kubeconfig, measured=True))
        async with writer(kubeconfig) as write, aiohttp.ClientSession() as session:
            tenant = f"tenant-{run}"
            try:
                await write.fill(others)
                labels = {"modelswitch.dev/events": "allow"}
                await write.call("POST", "/api/v1/namespaces", {"metadata": {"name": tenant, "labels": labels}})
                return await _measure(session, place, (kubeconfig, write), others, tenant, objects, events)
            finally:
                if real:
                    await write.empty(others)
                    await write.call("DELETE", f"/api/v1/namespaces/{tenant}")


async def _measure(
    session: aiohttp.ClientSession,
    place: Place,
    cluster: tuple[Path, Writer],
    others: list[Model],
    tenant: str,
    objects: int,
    events: int,
) -> Outcome:
    kubeconfig, write = cluster
    judge, watcher = Judge(session, place.api, others), Watcher(session, place)
    watching = asyncio.create_task(watcher.run())
    try:
        await _until_right(judge, others, set())
        running = [model for model in others if model.state is State.RUNNING and model.pod]
        first, second = running[:STOPS], running[STOPS : 2 * STOPS]
        quiet, bare_quiet = await _stop(session, place, write, first, watcher.wrong)
        orders = {"api": place.api, "tick": place.tick, "command": place.command, "pod_status": place.pod_status}
        words = [str(NOISE), str(kubeconfig), tenant, str(objects), str(events), json.dumps(orders)]
        noise = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
        assert noise.stdout is not None
        await noise.stdout.readline()  # it says that it has begun
        slow, bare_beside = await _stop(session, place, write, second, watcher.wrong)
        made = json.loads((await noise.communicate())[0].decode().splitlines()[-1])
        stopped = {model.ref.subject for model in (*first, *second)}
        await _until_right(judge, others, stopped)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    wrong = (*watcher.wrong, *judge.tally.wrong)
    return Outcome(
        made["objects"], made["events"], quiet, slow, (bare_quiet, bare_beside), watcher.rounds, wrong, watcher.memory
    )


async def _until_right(judge: Judge, others: list[Model], stopped: set[str]) -> None:
    end = time.monotonic() + RIGHT_WITHIN_SECONDS
    while wrong := await _all_right(judge, others, stopped):
        if time.monotonic() > end:
            judge.tally.wrong.extend(wrong)
            return
        await asyncio.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=10_000)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its processes must not outlive it
    with tempfile.TemporaryDirectory(prefix="modelswitch-hostile-") as folder:
        outcome = asyncio.run(beside(given.objects, given.events, Path(folder)))
    for wrong in outcome.wrong[:20]:
        print(f"wrong: {wrong}")
    print(outcome.line)
    return int(bool(outcome.wrong) or outcome.beside > SLOWER_AT_MOST * outcome.quiet)


if __name__ == "__main__":
    sys.exit(main())
