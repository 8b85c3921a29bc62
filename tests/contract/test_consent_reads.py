"""Many events of one namespace at once cost few reads of it, and none is judged by what was read before it arrived."""

import asyncio
import contextlib
import json

import pytest

from functions.adapters.cluster import Cluster
from functions.adapters.consents import Consents
from functions.lifecycle.consent import LABEL
from functions.lifecycle.errors import StepError
from functions.local.kubernetes.server import write_kubeconfig

YES, NO = {LABEL: "allow"}, {LABEL: "deny"}
EVENTS = 50


class ApiServer:
    """Answers for a namespace once it may; what it answers is decided when the request comes in."""

    def __init__(self):
        self.labels, self.status = YES, "200 OK"
        self.requests = 0
        self.may_answer = asyncio.Event()

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                answer = json.dumps({"metadata": {"name": "fraud", "labels": self.labels}}).encode()
                head = (
                    f"HTTP/1.1 {self.status}\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
                )
                await self.may_answer.wait()
                writer.write(head.encode() + answer)
        writer.close()

    async def asked(self, times):
        while self.requests < times:
            await asyncio.sleep(0)


@pytest.fixture
async def server():
    return ApiServer()


@pytest.fixture
async def consents(server, tmp_path, monkeypatch):
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(kubeconfig, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    cluster = await Cluster.connect()
    yield Consents(cluster)
    await cluster.close()
    listening.close()


def ask(consents):
    return asyncio.create_task(consents.ask("fraud", "stop", "/test", None))


async def test_events_that_come_at_once_share_two_reads(server, consents):
    asked = [ask(consents) for _ in range(EVENTS)]
    await server.asked(1)
    server.may_answer.set()
    assert {refused for _, refused in await asyncio.gather(*asked)} == {None}
    assert server.requests <= 2


async def test_a_consent_withdrawn_during_a_read_refuses_what_came_after_it(server, consents):
    before = ask(consents)
    await server.asked(1)
    server.labels = NO
    after = [ask(consents) for _ in range(EVENTS)]
    server.may_answer.set()
    assert (await before)[1] is None
    assert all(refused for _, refused in await asyncio.gather(*after))


async def test_a_yes_is_read_again_for_the_next_event(server, consents):
    server.may_answer.set()
    assert (await ask(consents))[1] is None
    server.labels = NO
    assert (await ask(consents))[1]


async def test_a_read_that_fails_fails_all_that_waited_for_it(server, consents):
    server.status = "403 Forbidden"
    asked = [ask(consents) for _ in range(EVENTS)]
    await server.asked(1)
    server.may_answer.set()
    failed = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(error, StepError) for error in failed)
    assert server.requests <= 2
