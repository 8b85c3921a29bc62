"""Asking real servers on real sockets: those that answer, hang, refuse, redirect, and many at once."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from kubernetes.aio.client.configuration import Configuration

from functions.adapters.cluster import Cluster
from functions.adapters.conversation import ANSWER_SECONDS
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.probe import DirectLine, Probe, ProxyLine
from functions.lifecycle.observation import Answered

pytestmark = pytest.mark.timeout(60)


def answer(status, document=None, **headers):
    body = b"" if document is None else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


NOT_FOUND = answer(404, {"detail": "Not Found"})


@asynccontextmanager
async def serving(paths, *, silent=False, otherwise=NOT_FOUND):
    """A server that answers these paths and `otherwise` elsewhere; yields its port and what it was asked."""
    asked = []

    async def handle(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        asked.append(request.decode().split(" ")[1])
        if silent:
            await asyncio.sleep(30)
        writer.write(paths.get(asked[-1], otherwise))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


def a_server(port, *, protocols=(Protocol.V1, Protocol.V2, Protocol.OPENAI), uid="1", told=True, names=("m",)):
    return Server(uid, f"pod-{uid}", "fraud", "127.0.0.1", port, tls=False, names=names, told=told, protocols=protocols)


@pytest.fixture
async def probe():
    made = Probe(DirectLine())
    yield made
    await made.close()


async def asked_one(probe, server):
    return (await probe.ask([server]))[server.pod_uid]


@asynccontextmanager
async def proxied_by(reply):
    """A probe through an API server that gives every request this answer, and the server's port."""
    async with serving({}, otherwise=reply) as (port, _):
        settings = Configuration()
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        probe = Probe(ProxyLine(cluster))
        yield probe, port
        await probe.close()
        await cluster.close()


@pytest.mark.parametrize("through_the_api_server", [False, True])
async def test_a_pod_without_an_address_is_not_asked_for(through_the_api_server):
    async with serving({}) as (port, asked):
        settings = Configuration()
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        probe = Probe(ProxyLine(cluster) if through_the_api_server else DirectLine())
        got = await asked_one(probe, replace(a_server(port), address=""))
        await probe.close()
        await cluster.close()
    assert (got.what, got.detail) == (Answered.UNASKABLE, "pod-1 has no address")
    assert asked == []


@pytest.mark.parametrize(("status", "forbidden"), [(403, True), (503, False)])
async def test_a_missing_right_to_proxy_is_told_apart_from_a_pod_that_is_not_reached(status, forbidden):
    refusal = answer(status, {"kind": "Status", "apiVersion": "v1", "message": "whatever it says", "code": status})
    async with proxied_by(refusal) as (probe, port):
        found = await asked_one(probe, a_server(port))
    assert (found.what, found.forbidden) == (Answered.UNASKABLE, forbidden)


async def test_a_model_that_is_there(probe):
    async with serving({"/v1/models/m": answer(200, {"name": "m", "ready": True})}) as (port, asked):
        found = await asked_one(probe, a_server(port))
    assert (found.what, asked) == (Answered.LOADED, ["/v1/models/m"])
    assert (found.model_path, found.predict_path) == ("/v1/models/m", "/v1/models/m:predict")


async def test_a_server_without_its_model_is_quoted(probe):
    async with serving({"/v1/models/m": answer(404, {"error": "Model with name m does not exist."})}) as (port, asked):
        found = await asked_one(probe, a_server(port))
    assert found.what is Answered.MISSING
    assert found.detail == "GET /v1/models/m: 404 Model with name m does not exist."
    assert asked[0] == found.model_path == "/v1/models/m"


async def test_a_server_that_speaks_another_protocol_than_declared(probe):
    async with serving({"/v1/models": answer(200, {"object": "list", "data": [{"id": "m"}]})}) as (port, _):
        found = await asked_one(probe, a_server(port))
    assert (found.what, found.model_path, found.predict_path) == (Answered.LOADED, "", "/v1/completions")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (answer(200, {"is_sleeping": True}), Answered.ASLEEP),
        (answer(200, {"is_sleeping": False}), Answered.LOADED),
        (answer(200, {"is_sleeping": "true"}), Answered.LOADED),
        (NOT_FOUND, Answered.LOADED),
        (answer(401, {"error": "Unauthorized"}), Answered.LOADED),
        (b"", Answered.LOADED),
    ],
)
async def test_a_vllm_that_was_put_to_sleep_says_so(probe, said, what):
    listed = answer(200, {"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]})
    async with serving({"/v1/models": listed, "/is_sleeping": said}) as (port, _):
        found = await asked_one(probe, a_server(port, protocols=(Protocol.OPENAI,)))
    assert found.what is what
    assert what is Answered.LOADED or found.detail.startswith("GET /is_sleeping: 200")


@pytest.mark.parametrize("told", [False, True])
async def test_a_servers_only_model_is_the_model_whatever_it_was_told(probe, told):
    paths = {
        "/v1/models/m": answer(404, {"error": "Model with name m does not exist."}),
        "/v1/models": answer(200, {"models": ["own-name"]}),
    }
    async with serving(paths) as (port, _):
        found = await asked_one(probe, a_server(port, told=told))
    assert (found.what, found.predict_path) == (Answered.LOADED, "/v1/models/own-name:predict")


async def test_a_server_that_speaks_none_of_them_can_not_be_asked(probe):
    async with serving({}) as (port, _):
        assert (await asked_one(probe, a_server(port))).what is Answered.UNASKABLE


async def test_grpc_is_not_asked_at_all(probe):
    async with serving({}) as (port, asked):
        found = await asked_one(probe, a_server(port, protocols=(Protocol.GRPC,)))
    assert (found.what, asked) == (Answered.UNASKABLE, [])
    assert "gRPC" in found.detail


async def test_a_redirect_is_not_followed(probe):
    async with serving({"/elsewhere": answer(200, {"name": "m", "ready": True})}) as (port, asked):
        paths = {"/v1/models/m": answer(302, Location=f"http://127.0.0.1:{port}/elsewhere")}
        async with serving(paths) as (first, _):
            found = await asked_one(probe, a_server(first, protocols=(Protocol.V1,)))
    assert (found.what, asked) == (Answered.UNASKABLE, [])


async def test_no_connection_says_nothing_about_the_model(probe):
    async with serving({}) as (port, _):
        pass
    found = await asked_one(probe, a_server(port))
    assert found.what is Answered.UNASKABLE
    assert "no connection to 127.0.0.1" in found.detail


async def test_a_server_that_hangs_is_given_up_in_time(probe):
    async with serving({}, silent=True) as (port, _):
        begun = time.monotonic()
        found = await asked_one(probe, a_server(port))
        assert time.monotonic() - begun < ANSWER_SECONDS + 1.5
    assert found.what is Answered.UNANSWERED


async def test_who_can_not_be_asked_in_time_is_left_out(probe):
    ready = {"/v1/models/m": answer(200, {"name": "m", "ready": True})}
    async with serving({}, silent=True) as (hangs, _), serving(ready) as (works, _):
        found = await probe.ask([a_server(hangs, uid="hangs"), a_server(works, uid="works")], within=0.5)
    assert {uid: one.what for uid, one in found.items()} == {"works": Answered.LOADED}


async def test_many_are_asked_side_by_side(probe):
    ready = {"/v1/models/m": answer(200, {"name": "m", "ready": True})}
    async with serving(ready) as (port, asked):
        found = await probe.ask([a_server(port, uid=str(number)) for number in range(60)], within=20)
    assert {one.what for one in found.values()} == {Answered.LOADED}
    assert len(asked) == 60


async def test_turned_off_nobody_is_asked():
    found = await asked_one(Probe(None), a_server(1))
    assert found.what is Answered.UNASKABLE
