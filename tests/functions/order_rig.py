"""Commands of many models in random gaps, over real HTTP, and what became of each: for the test of their order."""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass

import httpx
from function_process import START, STOP

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


def drawn(model: str, namespace: str, commands: int, seed: int) -> Sent:
    dice = random.Random(f"{model} {seed}")
    verbs = tuple(dice.choice(("stop", "start")) for _ in range(commands))
    return Sent(model, namespace, verbs, tuple(dice.uniform(0, 0.1) for _ in range(commands)))


async def send_all(everything: list[Sent], request, *, one_by_one: bool = False) -> list[httpx.Response]:
    """Each model's commands one after the other has left, without waiting for its answer.

    `request(client, sent, number)`.
    """
    # Shorter than gunicorn's keep-alive of 2 s: a connection that it closes under a request would be an error.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=1.0)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        answers = await asyncio.gather(*(_send(client, sent, request, one_by_one) for sent in everything))
    return [answer for of_one in answers for answer in of_one]


async def _send(client: httpx.AsyncClient, sent: Sent, request, one_by_one: bool) -> list[httpx.Response]:
    under_way = []
    for number, gap in enumerate(sent.gaps):
        await asyncio.sleep(gap)
        left = asyncio.Event()

        async def traced(name, _, left=left):
            if name == "http11.send_request_body.complete":
                left.set()

        posting = request(client, sent, number)
        posting.extensions["trace"] = traced
        under_way.append(asyncio.create_task(client.send(posting)))
        await (under_way[-1] if one_by_one else left.wait())
    return await asyncio.gather(*under_way)


def outcomes(api: httpx.Client, sent: Sent) -> dict[str, set[str]]:
    """By command: `done`, or the code with which it was not done, from the model's history."""
    query = {"namespace": sent.namespace, "name": sent.model, "limit": 1000}
    found: dict[str, set[str]] = defaultdict(set)
    for item in api.get("/api/v1/audit", params=query).raise_for_status().json()["items"]:
        if item["event_id"] and item["action"] in TYPES:
            found[item["event_id"]].add(item["code"] or "done")
    return found
