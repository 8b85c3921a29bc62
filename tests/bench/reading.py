"""Looking at one model, listing many, and what the API holds in memory: with few models known and with 10,000."""

import contextlib
from collections.abc import Callable

import aiohttp
from figures import Goal, Row, median, percentile, timed
from place import Place, client, know, redis_server
from population import fill
from processes import Served, api, empty_fastapi

FEW, HUNDRED, MANY = 10, 100, 10_000
LOOKS = 100
LISTS = 15


async def reading(place: Place) -> list[Row]:
    names = [f"look-{number:02d}" for number in range(FEW)]
    await place.cluster.make(names)
    with contextlib.ExitStack() as stack:
        served = {size: await _tracking(place, stack, size) for size in (FEW, HUNDRED, MANY)}
        empty = stack.enter_context(empty_fastapi(place.folder))
        looks: dict[int, list[float]] = {FEW: [], MANY: []}
        lists: dict[int, list[float]] = {HUNDRED: [], MANY: []}
        async with aiohttp.ClientSession() as session:
            for size in (FEW, MANY, HUNDRED):
                await _looks(place, session, served[size], names)
            for number in range(place.rounds):
                turn = 1 if number % 2 else -1
                for size in list(looks)[::turn]:
                    looks[size].append(await _looks(place, session, served[size], names))
                for size in list(lists)[::turn]:
                    lists[size].append(await _lists(session, served[size]))
            await _every_page(session, served[MANY])
            await _warm(session, empty)
        memory = served[MANY].memory(), empty.memory()
    await place.cluster.call("DELETE", place.cluster.models)
    look = f"{LOOKS} one after another per round; each looks at the cluster. Two API processes, one Redis each"
    first = f"{LISTS} per round, 100 models a page; medians"
    page = "list, first page, 10,000 models known"
    held = "resident memory after every page of the list and 500 looks"
    return [
        _row("GET status, p99, 10,000 models known", "the same with 10", looks, Goal(1.5), look),
        _row(page, "the same with 100", lists, Goal(2.0), first),
        Row("API memory, 10,000 models known", "an empty FastAPI", *memory, "MiB", Goal(80, "difference"), 1, held),
    ]


def _row(name: str, against: str, found: dict[int, list[float]], goal: Goal, how: str) -> Row:
    few, many = (median(values) for values in found.values())
    return Row(name, against, many, few, "ms", goal, len(found[MANY]), how)


async def _tracking(place: Place, stack: contextlib.ExitStack, size: int) -> Served:
    """An API whose Redis knows the namespace's real models and, with others that only it knows, `size` in all."""
    redis_url = stack.enter_context(redis_server())
    await know(place, redis_url)
    await fill(redis_url, size - FEW)
    with client(redis_url) as redis:
        if redis.zcard("{modelswitch}:models") != size:
            raise RuntimeError(f"expected {size} models in Redis")
    return stack.enter_context(api(place.folder, place.environment(redis_url)))


async def _get(session: aiohttp.ClientSession, url: str) -> dict:
    async with session.get(url) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{url}: {answer.status} {await answer.text()}")
        return await answer.json()


async def _looks(place: Place, session: aiohttp.ClientSession, served: Served, names: list[str]) -> float:
    base = f"{served.url}/api/v1/namespaces/{place.cluster.namespace}/models"
    urls = [f"{base}/{names[number % len(names)]}/status" for number in range(LOOKS)]
    return percentile(await _each_timed(session, urls), 0.99)


async def _lists(session: aiohttp.ClientSession, served: Served) -> float:
    return median(await _each_timed(session, [f"{served.url}/api/v1/models?limit=100"] * LISTS))


async def _each_timed(session: aiohttp.ClientSession, urls: list[str]) -> list[float]:
    """Milliseconds."""
    ask: list[Callable] = [lambda url=url: _get(session, url) for url in urls]
    return [await timed(one) * 1000 for one in ask]


async def _every_page(session: aiohttp.ClientSession, served: Served) -> None:
    token, seen = "", 0
    while True:
        more = f"&continue={token}" if token else ""
        page = await _get(session, f"{served.url}/api/v1/models?limit=1000{more}")
        seen, token = seen + len(page["items"]), page["continue"]
        if not token:
            break
    if seen != MANY:
        raise RuntimeError(f"the pages held {seen} models, expected {MANY}")


async def _warm(session: aiohttp.ClientSession, empty: Served) -> None:
    for _ in range(LOOKS):
        await _get(session, f"{empty.url}/")
