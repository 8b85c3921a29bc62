"""Smoke tests against a real server on a real socket: sent in the pod's own protocol, bounded, each pod once."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from events.model import ModelRef
from functions.adapters import smoke_test
from functions.adapters.cluster import Forbidden, Missing
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.probe import DirectLine
from functions.admin.verify.prediction import Predictions
from functions.admin.verify.reading import Reader
from functions.admin.verify.sighting import Sighting
from functions.lifecycle.observation import Answered, Observation, Pod, PodAnswer
from functions.lifecycle.prediction import Outcome

REF = ModelRef(namespace="ml", name="m")
LOADED = PodAnswer(Answered.LOADED, "GET /v1/models/m: 200", predict_path="/v1/models/m:predict")


def a_pod(answer=LOADED, uid="1"):
    return Pod(
        uid=uid, name=f"pod-{uid}", component="predictor", ready=True, node="n", gpus=0, memory=0, requests={}, grace=30,
        deleting=False, deletion_grace=None, owner=None, serves=True, answer=answer,
    )  # fmt: skip


def sighting(*ports, answer=LOADED, protocols=(Protocol.V1,)):
    servers, pods = [], []
    for uid, port in enumerate(ports):
        servers.append(
            Server(
                str(uid), f"pod-{uid}", "ml", "127.0.0.1", port, tls=False, names=("m",), told=True, protocols=protocols
            )
        )
        pods.append(a_pod(answer, str(uid)))
    return Sighting(Observation(REF, datetime.now(UTC), exists=True, pods=tuple(pods)), tuple(servers))


class ConfigMaps:
    """An API server that has this one ConfigMap, or says why not."""

    def __init__(self, data):
        self.data = data

    async def get(self, path):
        assert path == "/api/v1/namespaces/ml/configmaps/modelswitch-smoke-test-m"
        if isinstance(self.data, Exception):
            raise self.data
        return {"data": self.data}


@asynccontextmanager
async def serving(body, *, status=200, pieces=1):
    """Yields the port and the requests: (method, path, JSON)."""
    asked = []

    async def handle(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        asked.append((*head.split(" ")[:2], json.loads(await reader.readexactly(length))))
        if body is None:
            await asyncio.sleep(30)
            return
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
        size = len(body) // pieces
        for start in range(0, len(body), size):
            writer.write(body[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


@pytest.fixture
async def line():
    made = DirectLine()
    yield made
    await made.close()


async def test_the_payload_goes_to_the_pod_in_the_protocol_in_which_it_told_of_its_model(line):
    async with serving(b'{"predictions": [1]}') as (port, asked):
        predictions = Predictions(ConfigMaps({"payload": '{"instances": [[1]]}'}), line)
        found = await predictions.of(sighting(port))
    assert (found.outcome, found.said) == (Outcome.GOOD, "200 {predictions: [1 of number]}")
    assert asked == [("POST", "/v1/models/m:predict", {"instances": [[1]]})]


async def test_a_pod_that_answered_well_is_not_asked_again_and_one_that_did_not_is(line):
    async with serving(b"{}") as (good, asked), serving(b"{}", status=500) as (bad, asked_too):
        predictions = Predictions(ConfigMaps({"payload": "{}"}), line)
        for _ in range(3):
            assert (await predictions.of(sighting(good, bad))).outcome is Outcome.BAD
    assert (len(asked), len(asked_too)) == (1, 3)


async def test_a_server_that_hangs_is_given_up_in_time(line):
    async with serving(None) as (port, _):
        found = await Predictions(ConfigMaps({"payload": "{}"}), line, seconds=0.3).of(sighting(port))
    assert (found.outcome, found.said) == (Outcome.BAD, "no answer in 0.3s")


async def test_a_long_answer_is_read_whole(line):
    body = json.dumps({"predictions": list(range(50_000))}).encode()
    async with serving(body, pieces=20) as (port, _):
        found = await Predictions(ConfigMaps({"payload": "{}"}), line).of(sighting(port))
    assert found.said == "200 {predictions: [50000 of number]}"


async def test_no_connection_says_nothing_about_the_model(line):
    async with serving(b"{}") as (port, _):
        pass
    found = await Predictions(ConfigMaps({"payload": "{}"}), line).of(sighting(port))
    assert found.outcome is Outcome.UNREACHED


async def test_only_a_pod_that_may_have_its_model_is_asked(line):
    async with serving(b"{}") as (port, asked):
        predictions = Predictions(ConfigMaps({"payload": "{}", "path": "/predict"}), line)
        for what in (Answered.MISSING, Answered.LOADING, Answered.UNANSWERED):
            assert (await predictions.of(sighting(port, answer=PodAnswer(what)))).outcome is Outcome.NOT_ASKED
        grpc = sighting(port, answer=PodAnswer(Answered.UNASKABLE), protocols=(Protocol.GRPC,))
        assert (await predictions.of(grpc)).outcome is Outcome.NOT_ASKED
        assert asked == []
        own = await predictions.of(sighting(port, answer=PodAnswer(Answered.UNASKABLE)))
    assert own.outcome is Outcome.GOOD, "a server of its own kind is verified by a smoke test with a path"
    assert asked == [("POST", "/predict", {})]


@pytest.mark.parametrize("path", ["/v1/models/m:predict", "/v2/models/m/versions/1/infer", "/predict", "/a.b/c"])
def test_paths_of_a_server(path):
    assert smoke_test.read({"data": {"payload": "{}", "path": path}}).path == path


@pytest.mark.parametrize(
    "path",
    ["", "predict", "/../x", "/a/../b", "/a/./b", "/a/..", "/%2e%2e/x", "//x", "http://x/", "/a b", "/a?b=c", "/a/"],
)
def test_a_path_that_could_lead_away_from_the_pod_is_refused(path):
    with pytest.raises(smoke_test.Unusable, match="`path`"):
        smoke_test.read({"data": {"payload": "{}", "path": path}})


async def test_a_pod_that_said_nothing_is_asked_again_before_it_counts_as_silent(line):
    """In a crowd a good server may be late once."""
    asked = []

    async def handle(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if len(asked) > 1:
            body = b'{"name": "m", "ready": true}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        reader = Reader(None, line, None)
        (found,) = await reader._asked([sighting(server.sockets[0].getsockname()[1])])
    finally:
        server.close()
    assert [pod.answer.what for pod in found.seen.pods] == [Answered.LOADED]
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("answer", "said"), [(Missing("404"), "no smoke test"), (Forbidden("403"), "no smoke test that may be read")]
)
async def test_a_model_without_a_smoke_test_is_not_asked(line, answer, said):
    """A Role that names each smoke test answers 403 for a model that has none."""
    found = await Predictions(ConfigMaps(answer), line).of(sighting(1))
    assert (found.outcome, found.said) == (Outcome.NOT_ASKED, said)
