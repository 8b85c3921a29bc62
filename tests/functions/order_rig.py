"""Commands of many models in random gaps, over real HTTP, and what became of each: for the test of their order."""

import asyncio
import contextlib
import math
import random
from collections import defaultdict
from dataclasses import dataclass, field

import httpx
from function_process import START, STOP

from functions.adapters.keys import seen_name

TYPES = {"stop": STOP, "start": START}


@dataclass(frozen=True)
class Sent:
    """The verbs of one model in the order in which they are sent, and the gap before each."""

    model: str
    namespace: str
    verbs: tuple[str, ...]
    gaps: tuple[float, ...]

    def identity(self, number: int) -> str:
        return f"{self.model}-{number}"

    @property
    def subject(self) -> str:
        return f"namespaces/{self.namespace}/inferenceservices/{self.model}"

    def headers(self, number: int) -> dict[str, str]:
        """Of the CloudEvent, in binary mode."""
        attributes = {
            "specversion": "1.0",
            "id": self.identity(number),
            "source": "/order",
            "type": TYPES[self.verbs[number]],
            "subject": self.subject,
            "partitionkey": self.subject,
        }
        return {f"ce-{name}": value for name, value in attributes.items()} | {"content-type": "application/json"}


def drawn(model: str, namespace: str, commands: int, seed: int, gap: float | None = None) -> Sent:
    """`gap`: between all of them, in seconds; None: 0 to 0.1, drawn too."""
    dice = random.Random(f"{model} {seed}")
    verbs = tuple(dice.choice(("stop", "start")) for _ in range(commands))
    return Sent(model, namespace, verbs, tuple(dice.uniform(0, 0.1) if gap is None else gap for _ in range(commands)))


@dataclass
class Others:
    """Models to which nothing is sent but one stop each, beside the commands of the others: how long each waits."""

    cluster: httpx.Client
    namespace: str
    names: list[str]
    waits: list[float] = field(default_factory=list)
    stopped_when_answered: bool = False
    bound: float = math.inf

    async def stop(self, client: httpx.AsyncClient, request, ended: asyncio.Event) -> None:
        """One after the other, from the sending of the stop until the cluster shows it."""
        clock = asyncio.get_running_loop().time
        while self.names and not (self.waits and ended.is_set()):
            name = self.names.pop()
            began = clock()
            answer = await client.send(request(client, Sent(name, self.namespace, ("stop",), (0,)), 0))
            assert answer.status_code == 202, answer.text
            if self.stopped_when_answered:
                assert await asyncio.to_thread(self._is_stopped, name)
            while not await asyncio.to_thread(self._is_stopped, name):
                await asyncio.sleep(0.01)
            self.waits.append(clock() - began)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), 0.2)

    def _is_stopped(self, name: str) -> bool:
        path = f"/apis/serving.kserve.io/v1beta1/namespaces/{self.namespace}/inferenceservices/{name}"
        annotations = self.cluster.get(path).raise_for_status().json()["metadata"].get("annotations", {})
        return annotations.get("serving.kserve.io/stop") == "true"


async def send_all(
    everything: list[Sent], request, *, one_by_one: bool = False, others: Others | None = None
) -> list[httpx.Response]:
    """Each model's commands one after the other has left, without waiting for its answer.

    `request(client, sent, number)`. `others`: stopped beside that, in the same way.
    """
    ended = asyncio.Event()
    # Shorter than gunicorn's keep-alive of 2 s: a connection that it closes under a request would be an error.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=1.0)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        beside = asyncio.create_task(others.stop(client, request, ended)) if others else None
        answers = await asyncio.gather(*(_send(client, sent, request, one_by_one) for sent in everything))
        ended.set()
        if beside:
            await beside
    return [answer for of_one in answers for answer in of_one]


async def _send(client: httpx.AsyncClient, sent: Sent, request, one_by_one: bool) -> list[httpx.Response]:
    in_flight = []
    for number, gap in enumerate(sent.gaps):
        await asyncio.sleep(gap)
        left = asyncio.Event()

        async def traced(name, _, left=left):
            if name == "http11.send_request_body.complete":
                left.set()

        posting = request(client, sent, number)
        posting.extensions["trace"] = traced
        in_flight.append(asyncio.create_task(client.send(posting)))
        await (in_flight[-1] if one_by_one else left.wait())
    return await asyncio.gather(*in_flight)


BY_REST = ("rest", "local", "rest:local")
BY_EVENT = ("event", "event:/order", "/order")


def places(redis, sent: Sent, channel: tuple[str, str, str] = BY_REST) -> list[int]:
    """The place in the model's line that each command got, in sent order; over REST of those without a token."""
    way, actor, source = channel
    names = [seen_name(way, actor, sent.subject, source, sent.identity(n)) for n in range(len(sent.verbs))]
    found = [redis.hget(name, "seq") for name in names]
    return [int(place) for place in found if place]


def outcomes(api: httpx.Client, sent: Sent) -> dict[str, set[str]]:
    """By command: `done`, or the code with which it was not done, from the model's history."""
    query = {"namespace": sent.namespace, "name": sent.model, "limit": 1000}
    found: dict[str, set[str]] = defaultdict(set)
    for item in api.get("/api/v1/audit", params=query).raise_for_status().json()["items"]:
        if item["event_id"] and item["action"] in TYPES:
            found[item["event_id"]].add(item["code"] or "done")
    return found
