"""1,000 models at once, against kubectl and against the API server's own limit."""

import asyncio
import shutil

import aiohttp
from api_server import each
from figures import Goal, Row, median, timed
from place import Place, know, redis_server
from processes import Served, api

MODELS = 1000
ROUNDS = 3
_HOW = f"{MODELS} models, {ROUNDS} alternating rounds; from the call to its answer, so a little past the last PATCH"


async def bulk(place: Place) -> list[Row]:
    names = [f"bulk-{number:04d}" for number in range(MODELS)]
    await place.cluster.make(names)
    ours: list[float] = []
    kubectl: list[float] = []
    bare: list[float] = []
    with redis_server() as redis_url, api(place.folder, place.environment(redis_url)) as served:
        for _ in range(min(ROUNDS, place.rounds)):
            await know(place, redis_url)
            ours.append(await timed(lambda: _stop_all(place, served, names)))
            await _check_and_reset(place, names)
            if shutil.which("kubectl"):
                kubectl.append(await timed(lambda: _kubectl(place)))
                await _check_and_reset(place, names)
            bare.append(await timed(lambda: each(names, place.cluster.annotate_stop)))
            await _check_and_reset(place, names)
    await place.cluster.call("DELETE", place.cluster.models)
    what, rounds = f"bulk stop of {MODELS:,} models", len(ours)
    rows = [Row(what, "bare concurrent PATCH loop", median(ours), median(bare), "s", Goal(2.0), rounds, _HOW)]
    if kubectl:
        rows.insert(0, Row(what, "kubectl annotate --all", median(ours), median(kubectl), "s", Goal(1.0), rounds, _HOW))
    return rows


async def _stop_all(place: Place, served: Served, names: list[str]) -> None:
    models = [{"namespace": place.cluster.namespace, "name": name} for name in names]
    timeout = aiohttp.ClientTimeout(total=300)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(f"{served.url}/api/v1/models:stop", json={"models": models, "reason": "bench"}) as answer,
    ):
        body = await answer.json()
    if answer.status != 200 or body["accepted"] != len(names):
        failed = [item for item in body.get("items", []) if item["status"] >= 300][:3]
        raise RuntimeError(f"{answer.status}: {body.get('accepted')} of {len(names)} were accepted; {failed or body}")


async def _kubectl(place: Place) -> None:
    words = ["kubectl", "annotate", "inferenceservices", "--all", "serving.kserve.io/stop=true"]
    process = await asyncio.create_subprocess_exec(
        *words, "-n", place.cluster.namespace, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise RuntimeError("kubectl annotate failed")


async def _check_and_reset(place: Place, names: list[str]) -> None:
    stopped = await place.cluster.count_stopped()
    if stopped != len(names):
        raise RuntimeError(f"{stopped} of {len(names)} models were stopped")
    await place.cluster.reset(names)
