"""Sending smoke tests to real servers on real sockets: few at once, given up in time, and each reason why none is sent."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest

from functions.adapters.cluster import Forbidden, Missing
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.kserve.smoke_tests import SmokeTests
from functions.lifecycle.errors import ClusterUnavailable
from functions.lifecycle.observation import Answered, PodAnswer
from functions.lifecycle.prediction import Outcome

pytestmark = pytest.mark.timeout(60)
LOADED = PodAnswer(Answered.LOADED, "GET /v1/models/m: 200", predict_path="/v1/models/m:predict")
SMOKE_TEST = "modelswitch.dev/smoke-test"


def metadata(smoke_test='{"payload": {"instances": [[1]]}}'):
    return {"name": "m", "namespace": "ml", "annotations": {SMOKE_TEST: smoke_test}}


@asynccontextmanager
async def serving(*, seconds=0.0, body=b'{"predictions": [1]}'):
    """Yields the port, what was asked, and the most that were at work at once."""
    asked, most, now = [], [0], [0]

    async def handle(reader, writer):
        now[0] += 1
        most[0] = max(most[0], now[0])
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(
            next(line for line in head.splitlines() if line.lower().startswith("content-length")).split(":")[1]
        )
        asked.append((head.split(" ")[1], json.loads(await reader.readexactly(length))))
        await asyncio.sleep(seconds)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        now[0] -= 1
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked, most
    finally:
        server.close()


def pods(port, count=1):
    return [
        (Server(f"{n}", f"pod-{n}", "ml", "127.0.0.1", port, False, ("m",), True, (Protocol.V1,)), LOADED)
        for n in range(count)
    ]


class Objects:
    """An API server's answer for the ConfigMap; the paths that were read."""

    def __init__(self, answer=None):
        self.answer, self.read = answer, []

    async def get(self, path, **_):
        self.read.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_what_the_annotation_holds_is_sent_and_nothing_else_is_read(line):
    objects = Objects()
    async with serving() as (port, asked, _):
        (said,) = (await SmokeTests(objects, line).ask(metadata(), pods(port))).values()
    assert (said.outcome, asked) == (Outcome.GOOD, [("/v1/models/m:predict", {"instances": [[1]]})])
    assert said.sentence == "pod-0: POST /v1/models/m:predict: 200 {predictions: [1 of number]}"
    assert objects.read == []


async def test_a_config_map_is_read_where_the_annotation_says_so(line):
    objects = Objects({"data": {"payload": "[2]", "path": "/p"}})
    async with serving() as (port, asked, _):
        await SmokeTests(objects, line).ask(metadata("configmap"), pods(port))
    assert objects.read == ["/api/v1/namespaces/ml/configmaps/modelswitch-smoke-test-m"]
    assert asked == [("/p", [2])]


async def test_a_crowd_is_asked_eight_at_once_and_a_pod_without_a_turn_is_left_for_later(line):
    begun = time.monotonic()
    async with serving(seconds=0.8) as (port, asked, most):
        said = await SmokeTests(Objects(), line).ask(metadata(), pods(port, 40))
        assert most[0] == 8
    assert {one.outcome for one in said.values()} == {Outcome.GOOD}
    assert 8 <= len(said) < 40
    assert len(said) == len(asked)
    assert time.monotonic() - begun < 8


async def test_a_server_that_hangs_is_given_up(line):
    async with serving(seconds=30) as (port, _, _):
        (said,) = (await SmokeTests(Objects(), line, seconds=0.2).ask(metadata(), pods(port))).values()
    assert (said.outcome, said.said) == (Outcome.BAD, "no answer in 0.2s")


@pytest.mark.parametrize(
    ("error", "outcome", "words"),
    [
        (Missing("404"), Outcome.UNUSABLE, "ConfigMap modelswitch-smoke-test-m of its smoke test was not found"),
        (Forbidden("403"), Outcome.UNREACHED, "may not be read"),
        (ClusterUnavailable("away"), Outcome.UNREACHED, "could not be read"),
    ],
)
async def test_a_config_map_that_cannot_be_had(line, error, outcome, words):
    (said,) = (await SmokeTests(Objects(error), line).ask(metadata("configmap"), pods(1))).values()
    assert (said.outcome, words in said.said) == (outcome, True)
    assert said.next


@pytest.mark.parametrize(
    "text", ["yes", "{}", "[1]", '{"payload": 1, "path": "/../x"}', '{"payload": 1, "expected": 2}']
)
async def test_what_cannot_be_meant_so_is_said_and_nothing_is_sent(line, text):
    async with serving() as (port, asked, _):
        (said,) = (await SmokeTests(Objects(), line).ask(metadata(text), pods(port))).values()
    assert (said.outcome, asked) == (Outcome.UNUSABLE, [])
    assert "the annotation modelswitch.dev/smoke-test" in said.next


async def test_nobody_is_asked_where_asking_is_off():
    (said,) = (await SmokeTests(Objects(), None).ask(metadata(), pods(1))).values()
    assert said.outcome is Outcome.UNREACHED
