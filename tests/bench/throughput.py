"""Events per second through one worker, with a cluster that answers at once."""

import itertools

import aiohttp
from api_server import each
from figures import Goal, Row, median, timed
from place import Place, client, redis_server
from processes import Served, hello_function, stop_function
from sending import post, stop_event

EVENTS = 300
AT_ONCE = 16
_models = itertools.count()


async def throughput(place: Place) -> list[Row]:
    ours: list[float] = []
    hello: list[float] = []
    with (
        redis_server() as redis_url,
        stop_function(place.folder, {**place.environment(redis_url), "KUBECONFIG": place.stand_in}) as served,
        hello_function(place.folder) as peer,
    ):
        await _rate(served)
        await _rate(peer)
        for _ in range(place.rounds):
            with client(redis_url) as redis:
                redis.flushall()
            ours.append(await _rate(served))
            hello.append(await _rate(peer))
    how = (
        f"{EVENTS} events per round, {AT_ONCE} at a time, each on another model; one worker each. Ours makes 3 calls to "
        "Redis and 4 to the (stand-in) API server per event, writes a Kubernetes Event and publishes an event"
    )
    return [
        Row(
            "handler throughput",
            "functions-framework hello world",
            median(ours),
            median(hello),
            "events/s",
            Goal(0.5, at_least=True),
            len(ours),
            how,
        )
    ]


async def _rate(served: Served) -> float:
    names = [f"model-{next(_models)}" for _ in range(EVENTS)]
    async with aiohttp.ClientSession() as session:
        seconds = await timed(
            lambda: each(names, lambda name: post(session, served.url, stop_event("bench", name)), AT_ONCE)
        )
    return EVENTS / seconds
