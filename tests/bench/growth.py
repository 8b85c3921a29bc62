"""The time per stop while ever more models are known."""

import contextlib

import aiohttp
from figures import Goal, Row, median, timed
from place import Place, know, redis_server
from population import fill
from processes import Served, api

SIZES = (10, 100, 1000, 10_000)
STOPS = 10
_HOW = (
    f"{STOPS} stops by REST after another per size and round; per size a Redis and an API process of its own. The API "
    "server holds the same objects for all"
)


async def growth(place: Place) -> list[Row]:
    names = [f"grow-{number}" for number in range(STOPS)]
    await place.cluster.make(names)
    found: dict[int, list[float]] = {size: [] for size in SIZES}
    with contextlib.ExitStack() as stack:
        redis = {size: stack.enter_context(redis_server()) for size in SIZES}
        served = {size: stack.enter_context(api(place.folder, place.environment(redis[size]))) for size in SIZES}
        for size in SIZES:
            await know(place, redis[size])
            await fill(redis[size], size - STOPS)
        async with aiohttp.ClientSession() as session:
            for number in range(place.rounds + 1):
                for size in SIZES if number % 2 else reversed(SIZES):
                    await place.cluster.reset(names)
                    times = [
                        await timed(lambda name=name, size=size: _stop(place, session, served[size], name))
                        for name in names
                    ]
                    found[size].append(median(times) * 1000)
    await place.cluster.call("DELETE", place.cluster.models)
    least = median(found[SIZES[0]][1:])
    return [
        Row(
            f"growth: one stop, {size:,} models known",
            f"the same with {SIZES[0]}",
            median(found[size][1:]),
            least,
            "ms",
            Goal(1.3),
            place.rounds,
            _HOW,
        )
        for size in SIZES[1:]
    ]


async def _stop(place: Place, session: aiohttp.ClientSession, served: Served, name: str) -> None:
    url = f"{served.url}/api/v1/namespaces/{place.cluster.namespace}/models/{name}/stop"
    async with session.post(url, json={"reason": "bench"}) as answer:
        body = await answer.json()
        if answer.status != 202 or not body["changed"]:
            raise RuntimeError(f"{answer.status}: {body}")
