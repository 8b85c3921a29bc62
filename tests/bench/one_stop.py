"""One stop by event after another, and the same event delivered again."""

import aiohttp
from figures import Goal, Row, median, percentile, timed
from place import Place, know, redis_server
from processes import stop_function
from sending import post, stop_event

STOPS = 120
_HOW = f"{STOPS // 2} of each per round, one by one in turn; from the event's POST to its 202, so with the commit after the PATCH"


async def one_stop(place: Place) -> list[Row]:
    names = [f"one-{number:03d}" for number in range(STOPS)]
    await place.cluster.make(names)
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    with redis_server() as redis_url, stop_function(place.folder, place.environment(redis_url)) as served:
        async with aiohttp.ClientSession() as session:
            await post(session, served.url, stop_event(place.cluster.namespace, names[0]))
            for _ in range(place.rounds):
                await place.cluster.reset(names)
                await know(place, redis_url)
                ours.append([])
                bare.append([])
                for name, other in zip(names[::2], names[1::2], strict=True):
                    ours[-1].append(await timed(lambda name=name: _by_event(place, session, served.url, name)))
                    bare[-1].append(await timed(lambda other=other: _bare(place, other)))
    await place.cluster.call("DELETE", place.cluster.models)
    return [_row("p50", 0.5, ours, bare), _row("p99", 0.99, ours, bare)]


def _row(word: str, share: float, ours: list[list[float]], bare: list[list[float]]) -> Row:
    figures = [median([percentile(one, share) * 1000 for one in rounds]) for rounds in (ours, bare)]
    return Row(f"one stop by event, {word}", "bare GET + PATCH", *figures, "ms", Goal(2.5), len(ours), _HOW)


async def _by_event(place: Place, session: aiohttp.ClientSession, url: str, name: str) -> None:
    await post(session, url, stop_event(place.cluster.namespace, name))


async def _bare(place: Place, name: str) -> None:
    await place.cluster.get(name)
    await place.cluster.annotate_stop(name)


async def duplicate(place: Place) -> list[Row]:
    names = [f"twice-{number:03d}" for number in range(STOPS)]
    await place.cluster.make(names)
    firsts: list[float] = []
    seconds: list[float] = []
    with redis_server() as redis_url, stop_function(place.folder, place.environment(redis_url)) as served:
        async with aiohttp.ClientSession() as session:
            await post(session, served.url, stop_event(place.cluster.namespace, names[0]))
            for _ in range(place.rounds):
                await place.cluster.reset(names)
                await know(place, redis_url)
                events = [stop_event(place.cluster.namespace, name) for name in names]
                first = [await timed(lambda event=event: post(session, served.url, event)) for event in events]
                again = [await timed(lambda event=event: post(session, served.url, event)) for event in events]
                firsts.append(median(first) * 1000)
                seconds.append(median(again) * 1000)
    await place.cluster.call("DELETE", place.cluster.models)
    how = f"{STOPS} events per round, medians"
    return [
        Row("a duplicate", "its first delivery", median(seconds), median(firsts), "ms", Goal(0.3), len(firsts), how)
    ]
