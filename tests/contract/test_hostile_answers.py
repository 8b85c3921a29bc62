"""Model servers that answer anything but what their protocol says: one pod could not be asked, and nothing else
happens.
"""

import asyncio
import resource
from dataclasses import replace

import pytest
from hostile_server import (
    MISSING,
    READY,
    answer,
    deflate_bomb,
    endless_flood,
    endless_headers,
    gzip_bomb,
    never_ending,
    serving,
    silence,
)
from kubernetes.aio.client.configuration import Configuration

from functions.adapters.cluster import Cluster
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.probe import DirectLine, Probe, ProxyLine
from functions.lifecycle.observation import Answered

pytestmark = pytest.mark.timeout(60)

LISTS = [
    {"models": [{"name": "x"}]},
    {"models": [["x"]]},
    {"models": [1, None, True]},
    {"models": {"x": 1}},
    {"models": "m"},
    {"data": {"id": "m"}},
    {"data": "m"},
    {"data": 7},
    {"data": True},
]
OF_A_MODEL = [
    {"model_version_status": ["AVAILABLE"]},
    {"model_version_status": {"state": "AVAILABLE"}},
    {"model_version_status": [[]]},
    {"model_version_status": None},
    {"model_version_status": 7},
    {"model_version_status": [{"state": ["AVAILABLE"]}]},
    {"ready": [True]},
    {"ready": {"ready": True}},
    {"ready": None},
    {"error": ["model", "not found"]},
]
RAW = {
    "nested 100,000 deep": answer(200, b"[" * 100_000),
    "an object nested 100,000 deep": answer(200, b'{"ready":' * 100_000),
    "not UTF-8": answer(200, b'{"ready": "\xff\xfe"}'),
    "a number of 100,000 digits": answer(200, b'{"ready": ' + b"9" * 100_000 + b"}"),
    "a lone surrogate": answer(200, b'{"ready": "\\ud800", "error": "\\ud800"}'),
    "a surrogate in an error": answer(404, b'{"error": "model \\ud800 not found"}'),
    "no JSON at all": answer(200, b"\x00\x01\x02"),
    "more than a MiB": answer(200, b'{"ready": true, "x": "' + b"x" * 2_000_000 + b'"}'),
    "a gzip bomb": gzip_bomb(64),
    "a deflate bomb": deflate_bomb(64),
    "gzip that is none": answer(200, b"\x1f\x8b nonsense", Content_Encoding="gzip"),
    "brotli": answer(200, b"\x8b\x02\x80", Content_Encoding="br"),
    "an encoding that does not exist": answer(200, b"{}", Content_Encoding="x" * 1000),
    "shorter than its length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a chunk without a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a status that is not a number": b"HTTP/1.1 OK 200\r\n\r\n",
    "a status of 1,000 digits": b"HTTP/1.1 " + b"9" * 1000 + b" X\r\n\r\n",
    "a long status line": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    "a header of 100 KB": answer(200, {"ready": True}, X_A="a" * 100_000),
    "a header with NUL": b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "nothing": b"",
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "without end, slowly": never_ending,
    "without end, fast": endless_flood,
    "headers without end": endless_headers,
}


def a_server(port, uid="1", **changes):
    made = Server(
        uid, f"pod-{uid}", "fraud", "127.0.0.1", port, False, ("m",), True, (Protocol.V1, Protocol.V2, Protocol.OPENAI)
    )
    return replace(made, **changes)


async def asked(probe, *servers):
    return await probe.ask(servers, within=20)


@pytest.mark.parametrize("said", [*LISTS, *OF_A_MODEL, [], "m", 7, None, True], ids=str)
async def test_other_types_than_the_protocols_are_no_answer_and_harm_no_other_pod(said):
    probe = Probe(DirectLine())
    async with serving(otherwise=answer(200, said)) as (odd, _), serving(otherwise=READY) as (good, _):
        found = await asked(
            probe, a_server(odd, "odd", protocols=(Protocol.V1, Protocol.OPENAI)), a_server(good, "good")
        )
    await probe.close()
    assert {uid: one.what for uid, one in found.items()} == {"odd": Answered.UNASKABLE, "good": Answered.LOADED}
    assert found["odd"].detail


@pytest.mark.parametrize("case", RAW)
async def test_an_answer_that_can_not_be_read_is_no_answer_and_harms_no_other_pod(case):
    probe = Probe(DirectLine())
    async with serving(otherwise=RAW[case]) as (odd, _), serving(otherwise=READY) as (good, _):
        found = await asked(
            probe, a_server(odd, "odd", protocols=(Protocol.V1, Protocol.OPENAI)), a_server(good, "good")
        )
    await probe.close()
    assert {uid: one.what for uid, one in found.items()} == {"odd": Answered.UNASKABLE, "good": Answered.LOADED}
    assert found["odd"].detail
    assert found["odd"].detail.isprintable()
    assert len(found["odd"].detail) < 600


@pytest.mark.parametrize("case", RAW)
async def test_it_is_the_same_through_the_api_servers_proxy(case):
    settings = Configuration()
    async with serving(otherwise=RAW[case]) as (port, _):
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        found = await asked(Probe(ProxyLine(cluster)), a_server(port, protocols=(Protocol.V1, Protocol.OPENAI)))
        await cluster.close()
    assert found["1"].what is Answered.UNASKABLE
    assert found["1"].detail.isprintable()


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_redirect_is_followed_nowhere(proxied):
    async with serving(otherwise=READY) as (elsewhere, tally):
        moved = answer(302, Location=f"http://127.0.0.1:{elsewhere}/latest/meta-data")
        async with serving(otherwise=moved) as (port, first):
            settings = Configuration()
            settings.host = f"http://127.0.0.1:{port}"
            cluster = Cluster(settings)
            probe = Probe(ProxyLine(cluster) if proxied else DirectLine())
            found = await asked(probe, a_server(port))
            await probe.close()
            await cluster.close()
    assert found["1"].what is Answered.UNASKABLE
    assert tally.asked == []
    assert first.asked


async def test_a_bomb_is_not_expanded_in_memory():
    probe = Probe(DirectLine())
    bomb = gzip_bomb(512)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with serving(otherwise=bomb) as (port, _):
        found = await asked(probe, *(a_server(port, str(number)) for number in range(20)))
    await probe.close()
    assert {one.what for one in found.values()} == {Answered.UNASKABLE}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


async def test_cookies_of_a_pod_never_go_to_the_api_server():
    settings = Configuration()
    baked = answer(404, {"detail": "Not Found"}, Set_Cookie="a=" + "x" * 3000)
    async with serving(otherwise=baked) as (port, tally):
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        await asked(Probe(ProxyLine(cluster)), a_server(port))
        await cluster.close()
    assert len(tally.heads) > 1
    assert not [head for head in tally.heads if "cookie" in head.lower()]


async def test_no_more_than_four_names_and_twelve_requests():
    probe = Probe(DirectLine())
    names = tuple(f"name-{number}" for number in range(100))
    async with serving(otherwise=MISSING) as (port, tally):
        await asked(probe, a_server(port, names=names, told=False))
    await probe.close()
    assert len(tally.asked) <= 12
    assert {path.split("/")[3] for path in tally.asked if path.startswith("/v1/models/")} == set(names[:4])


async def test_a_pod_that_answers_slowly_has_two_seconds_in_all():
    probe = Probe(DirectLine())
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with serving(otherwise=MISSING, pause=0.9) as (port, tally):
        found = await asked(probe, a_server(port, names=("a", "b", "c", "d")))
        took = loop.time() - begun
    await probe.close()
    assert found["1"].what is Answered.UNASKABLE
    assert len(tally.asked) <= 3
    assert took < 0.9 * 4


async def test_one_that_takes_the_connection_and_says_nothing_is_silent():
    probe = Probe(DirectLine())
    async with serving(otherwise=silence) as (port, _):
        found = await asked(probe, a_server(port))
    await probe.close()
    assert found["1"].what is Answered.UNANSWERED


async def test_whatever_is_raised_for_one_pod_is_that_pods_answer():
    class Odd:
        async def ask(self, server, path, bounds=None):
            if server.pod_uid == "odd":
                raise RecursionError("deep")
            raise KeyError("other")

        async def close(self):
            pass

    found = await Probe(Odd()).ask([a_server(1, "odd"), a_server(1, "other")])
    assert {uid: one.what for uid, one in found.items()} == {"odd": Answered.UNASKABLE, "other": Answered.UNASKABLE}
    assert "RecursionError" in found["odd"].detail
