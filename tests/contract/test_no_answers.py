"""A 200 that is no answer, and a model that is served at another port than the first."""

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from hostile_server import MISSING, READY, answer, serving

from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.kserve.smoke_tests import SmokeTests
from functions.adapters.probe import DirectLine, Probe
from functions.lifecycle.observation import Answered
from functions.lifecycle.prediction import Outcome

pytestmark = pytest.mark.timeout(60)

V1_FIRST = (Protocol.V1, Protocol.V2, Protocol.OPENAI)
V2_FIRST = (Protocol.V2, Protocol.V1, Protocol.OPENAI)
METRICS = answer(200, b"# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n")
ANSWERS_ALL = {
    "metrics": METRICS,
    "an empty body": answer(200),
    "a word": answer(200, b"ok"),
    "a page": answer(200, b"<!doctype html><title>Sign in</title>"),
    "an empty object": answer(200, {}),
    "a health check": answer(200, {"status": "ok"}),
    "ready, without a name": answer(200, {"ready": True}),
    "an empty list": answer(200, []),
    "a page of nothing": answer(200, {"data": [], "total": 0}),
    "400 without a word": answer(400),
    "400 with a page": answer(400, b"<html>Bad Request</html>"),
}


def a_server(port, protocols=V1_FIRST, **changes):
    made = Server("1", "pod-1", "ml", "127.0.0.1", port, False, ("m",), True, protocols)
    return replace(made, **changes)


@pytest.fixture
async def probe():
    made = Probe(DirectLine())
    yield made
    await made.close()


@pytest.mark.parametrize("protocols", [V1_FIRST, V2_FIRST], ids=["v1", "v2"])
@pytest.mark.parametrize("case", ANSWERS_ALL)
async def test_a_server_that_gives_every_path_the_same_is_no_model_server(probe, case, protocols):
    async with serving(otherwise=ANSWERS_ALL[case]) as (port, _):
        found = (await probe.ask([a_server(port, protocols)]))["1"]
    assert (found.what, found.own_protocol) == (Answered.UNASKABLE, True)
    assert found.detail


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({"name": "m", "versions": ["1"], "platform": "onnxruntime_onnx"}, Answered.LOADED),
        ({"name": "other"}, Answered.UNASKABLE),
        ({"status": "ok"}, Answered.UNASKABLE),
    ],
)
async def test_an_empty_200_counts_where_the_models_metadata_prove_it(probe, metadata, what):
    paths = {"/v2/models/m/ready": answer(200), "/v2/models/m": answer(200, metadata)}
    async with serving(paths) as (port, _):
        found = (await probe.ask([a_server(port, V2_FIRST)]))["1"]
    assert found.what is what


@pytest.mark.parametrize(
    ("second", "what"),
    [(READY, Answered.LOADED), (MISSING, Answered.MISSING), (METRICS, Answered.UNASKABLE)],
)
@pytest.mark.parametrize("first", ["metrics", "closed", "a page"])
async def test_the_other_ports_are_asked_where_the_first_is_none_of_a_model_server(probe, first, second, what):
    async with AsyncExitStack() as stack:
        other, _ = await stack.enter_async_context(serving(otherwise=second))
        async with serving(otherwise=ANSWERS_ALL.get(first, METRICS)) as (port, tally):
            if first != "closed":
                found = (await probe.ask([a_server(port, other_ports=(other,))]))["1"]
        if first == "closed":
            found = (await probe.ask([a_server(port, other_ports=(other,))]))["1"]
    assert found.what is what
    assert (found.port == other and str(other) in found.detail) or what is Answered.UNASKABLE
    assert bool(tally.asked) is (first != "closed")


async def test_the_bounds_are_those_of_the_pod_however_many_ports_it_has(probe):
    async with AsyncExitStack() as stack:
        ports, tallies = zip(
            *[await stack.enter_async_context(serving(otherwise=METRICS)) for _ in range(4)], strict=True
        )
        await probe.ask([a_server(ports[0], other_ports=ports[1:], names=("a", "b", "c", "d"))])
    assert sum(len(tally.asked) for tally in tallies) <= 12


async def test_a_smoke_test_goes_to_the_port_at_which_the_model_answered(probe):
    paths = {"/v1/models/m": READY, "/v1/models/m:predict": answer(200, {"predictions": [1]})}
    async with serving(otherwise=METRICS) as (first, _), serving(paths) as (second, _):
        server = a_server(first, other_ports=(second,))
        found = (await probe.ask([server]))["1"]
        metadata = {"name": "m", "namespace": "ml", "annotations": {"modelswitch.dev/smoke-test": '{"payload": {}}'}}
        told = await SmokeTests(None, probe.line).ask(metadata, [(server, found)])
    assert told["1"].outcome is Outcome.GOOD
