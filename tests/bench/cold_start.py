"""From the start of a process to its first 202."""

import asyncio
import time
from collections.abc import Mapping

import aiohttp
from figures import Goal, Row, median
from place import Place, redis_server
from processes import DELIVERY_SECRET, free_port, function_words, process
from sending import post, stop_event


async def cold_start(place: Place) -> list[Row]:
    ours: list[float] = []
    hello: list[float] = []
    with redis_server() as redis_url:
        own = {"KUBECONFIG": place.stand_in, "DELIVERY_SECRETS": DELIVERY_SECRET}
        environment = {**place.environment(redis_url), **own}
        for _ in range(place.rounds + 1):
            ours.append(await _first_answer(place, "functions/command/main.py", "command", environment))
            hello.append(await _first_answer(place, "tests/bench/hello/main.py", "hello", {}))
    how = "the first round of both is thrown away (cold disk); bytecode is there, as in the image"
    name, against = "cold start of a function", "functions-framework hello world"
    return [Row(name, against, median(ours[1:]), median(hello[1:]), "s", Goal(2.0), place.rounds, how)]


async def _first_answer(place: Place, source: str, target: str, environment: Mapping[str, str]) -> float:
    port = free_port()
    event = stop_event("bench", f"cold-{port}")
    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        with process(function_words(source, target, port), place.folder / f"cold-{port}.log", environment):
            while True:
                try:
                    await post(session, f"http://127.0.0.1:{port}/?delivery={DELIVERY_SECRET}", event)
                except aiohttp.ClientConnectionError:
                    if time.perf_counter() - began > 60:
                        raise
                    await asyncio.sleep(0.01)
                else:
                    return time.perf_counter() - began
