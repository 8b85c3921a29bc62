"""Model servers that speak TLS without a probe that says so, and servers that do not."""

import asyncio
import shutil
import ssl
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hostile_server import MISSING, NOT_FOUND, READY, answer, serving, silence
from kubernetes.aio.client.configuration import Configuration

from functions.adapters.cluster import Cluster
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.kserve.smoke_tests import SmokeTests
from functions.adapters.probe import DirectLine, Probe, ProxyLine
from functions.lifecycle.observation import Answered
from functions.lifecycle.prediction import Outcome

pytestmark = pytest.mark.timeout(60)

V1_FIRST = (Protocol.V1, Protocol.V2, Protocol.OPENAI)
SAID = {
    "nginx": answer(400, b"<html>400 The plain HTTP request was sent to HTTPS port</html>"),
    "Go": answer(400, b"Client sent an HTTP request to an HTTPS server."),
    "without a word": answer(400),
}


def a_server(port, **changes):
    made = Server("1", "pod-1", "ml", "127.0.0.1", port, False, ("m",), True, V1_FIRST)
    return replace(made, **changes)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: it makes the server's certificate")
    folder = tmp_path_factory.mktemp("tls")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=self-signed"]
    files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run([*words, *files], check=True, capture_output=True)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return made


@pytest.fixture
async def probe():
    made = Probe(DirectLine())
    yield made
    await made.close()


@asynccontextmanager
async def both(context, plain, **tls):
    """A port as a TLS server's: to plain HTTP it answers `plain` (None: it closes), by TLS as `serving` does."""
    async with serving(**tls, tls=context) as (inner, tally):

        async def handle(reader, writer):
            first = await reader.read(65536)
            if not first.startswith(b"\x16"):
                writer.write(plain or b"")
                await writer.drain()
                writer.close()
                return
            behind, ahead = await asyncio.open_connection("127.0.0.1", inner)
            ahead.write(first)
            await asyncio.gather(pump(reader, ahead), pump(behind, writer))

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1], tally
        finally:
            server.close()


async def pump(source, target):
    try:
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()


@pytest.mark.parametrize("plain", [*SAID, None])
@pytest.mark.parametrize(("by_tls", "what"), [(READY, Answered.LOADED), (MISSING, Answered.MISSING)])
async def test_a_server_that_answers_nothing_in_plain_http_is_asked_by_tls(probe, context, plain, by_tls, what):
    async with both(context, SAID.get(plain), otherwise=by_tls) as (port, tally):
        found = (await probe.ask([a_server(port)]))["1"]
    assert (found.what, found.tls) == (what, True)
    assert not [head for head in tally.heads if "authorization" in head.lower() or "cookie" in head.lower()]


async def test_a_smoke_test_goes_by_tls_too(probe, context):
    paths = {"/v1/models/m": READY, "/v1/models/m:predict": answer(200, {"predictions": [1]})}
    async with both(context, SAID["nginx"], paths=paths) as (port, _):
        server = a_server(port)
        found = (await probe.ask([server]))["1"]
        metadata = {"name": "m", "namespace": "ml", "annotations": {"modelswitch.dev/smoke-test": '{"payload": {}}'}}
        told = await SmokeTests(None, probe.line).ask(metadata, [(server, found)])
    assert told["1"].outcome is Outcome.GOOD


@pytest.mark.parametrize("plain", SAID)
async def test_one_that_answers_400_to_everything_and_speaks_no_tls_can_not_be_asked(probe, plain):
    async with serving(otherwise=SAID[plain]) as (port, _):
        found = (await probe.ask([a_server(port)]))["1"]
    assert (found.what, found.tls) == (Answered.UNASKABLE, False)


async def test_one_that_waits_for_more_than_a_handshake_is_still_asked_in_plain_http(probe):
    """As a server that reads a line first: what it answers in plain HTTP counts."""
    paths = {
        "/v1/models/m": answer(400),
        "/v2/models/m/ready": answer(400, {"error": "model m is not found"}),
    }
    async with serving(paths, otherwise=NOT_FOUND) as (port, _):
        found = (await probe.ask([a_server(port)]))["1"]
    assert (found.what, found.tls) == (Answered.MISSING, False)


async def test_a_triton_that_answers_400_without_a_word_is_not_tried_by_tls(probe):
    """It does so at each look to a V1 path, and speaks V2."""
    opened = []

    async def handle(reader, writer):
        head = await reader.read(65536)
        opened.append(head[:1])
        ready = head.startswith((b"GET /v2/models/m/ready ", b"GET /v2/models/m "))
        writer.write(answer(200, {"name": "m"} if b"ready" not in head else b"") if ready else answer(400))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    found = (await probe.ask([a_server(server.sockets[0].getsockname()[1])]))["1"]
    server.close()
    assert (found.what, found.tls) == (Answered.LOADED, False)
    assert opened == [b"G"] * 3


async def test_a_silent_server_is_silent_by_tls_too(probe, context):
    async with serving(otherwise=silence, tls=context) as (port, _):
        found = (await probe.ask([a_server(port, tls=True)]))["1"]
    assert found.what is Answered.UNANSWERED


async def test_through_the_api_server_it_is_asked_by_its_https_scheme():
    """The API server answers 503 in the pod's place where the pod closes the connection."""
    closed = {"kind": "Status", "apiVersion": "v1", "message": "error trying to reach service: EOF", "code": 503}
    settings, paths = Configuration(), {}
    async with serving(paths, otherwise=answer(503, closed)) as (port, _):
        paths[f"/api/v1/namespaces/ml/pods/https:pod-1:{port}/proxy/v1/models/m"] = READY
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        found = (await Probe(ProxyLine(cluster)).ask([a_server(port)]))["1"]
        await cluster.close()
    assert (found.what, found.tls) == (Answered.LOADED, True)
