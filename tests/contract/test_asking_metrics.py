"""Asking real servers for their metrics: those that tell, hang and refuse, within one second for all."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from functions.adapters.in_flight import InFlight, ask_in_flight
from functions.adapters.kserve.metered import Metered
from functions.adapters.kserve.served import Server
from functions.adapters.probe import AT_ONCE, AT_ONCE_OF_ONE_NAMESPACE
from functions.adapters.turns import Turns

pytestmark = pytest.mark.timeout(60)


@asynccontextmanager
async def serving(body=b"", status=200, *, silent=False):
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        if silent:
            await asyncio.sleep(30)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def a_pod(uid, port, namespace="fraud"):
    server = Server(uid, f"pod-{uid}", namespace, "127.0.0.1", port, tls=False, names=(), told=False, protocols=())
    return Metered(server, "/metrics")


async def test_who_does_not_tell_in_a_second_is_left_out_and_holds_nobody_up(line):
    async with AsyncExitStack() as stack:
        ports = {
            "tells": await stack.enter_async_context(serving(b"vllm:num_requests_running 3\n")),
            "hangs": await stack.enter_async_context(serving(silent=True)),
            "knows-nothing": await stack.enter_async_context(serving(b"up 1\n")),
            "is-not-there": await stack.enter_async_context(serving(b"not found", 404)),
            "lies": await stack.enter_async_context(serving(b"vllm:num_requests_running x\n")),
        }
        async with serving() as closed:
            ports["listens-not"] = closed
        pods = [a_pod(uid, port) for uid, port in ports.items()]
        begun = time.monotonic()
        found = await ask_in_flight(line, pods)
    assert found == {"tells": InFlight(3)}
    assert 0.9 < time.monotonic() - begun < 1.8


async def test_a_hundred_pods_that_hang_take_one_second_together(line):
    async with serving(silent=True) as port:
        begun = time.monotonic()
        assert await ask_in_flight(line, [a_pod(str(number), port) for number in range(100)]) == {}
    assert time.monotonic() - begun < 1.9


async def test_nobody_is_asked_where_asking_is_off_or_nothing_could_tell(line):
    assert await ask_in_flight(None, [a_pod("1", 1)]) == {}
    assert await ask_in_flight(line, []) == {}


async def test_one_tenants_pods_that_hang_keep_nobody_elses_from_telling(line):
    turns = Turns(AT_ONCE, AT_ONCE_OF_ONE_NAMESPACE)
    async with serving(silent=True) as hangs, serving(b"vllm:num_requests_running 3\n") as tells:
        silent = [a_pod(f"silent-{n}", hangs, "hog") for n in range(192)]
        others = [a_pod(f"tells-{n}", tells, f"tenant-{n % 20}") for n in range(100)]
        found, later = await asyncio.gather(
            ask_in_flight(
                line, [*silent, *others], turns=turns, within=5
            ),  # a busy machine may take longer than one second
            ask_in_flight(line, [a_pod("later", tells, "another")], turns=turns),
        )
    assert found.keys() == {f"tells-{n}" for n in range(100)}
    assert later == {"later": InFlight(3)}


@pytest.mark.parametrize(
    "body",
    [
        b"vllm:num_requests_running " + b"9" * 5000 + b"\n",
        b"vllm:num_requests_running 1e300\n",
        b"vllm:num_requests_running NaN\n",
        b"vllm:num_requests_running +Inf\n",
        b'vllm:num_requests_running{a="' + b"x" * 900_000 + b'"} 1\n',
        b'vllm:num_requests_running{a="\\\n',
        b"vllm:num_requests_running{{{{ 1\n",
        b"vllm:num_requests_running 1 2 3 # {} {}\n",
        b"vllm:num_requests_running 1\n" * 30_000,
        b"\xff\xfe" * 100_000,
        b"\x0a\x01p\x11" + b"\xff" * 8,
        b"\x08\x01" * 400_000,
        b"vllm:num_requests_running 1\n" + b" " * 2_000_000,
    ],
    ids=range(13),
)
async def test_what_can_not_be_a_count_is_none_and_harms_no_other_pod(line, body):
    async with serving(body) as odd, serving(b"vllm:num_requests_running 3\n") as tells:
        queue_proxy = replace(a_pod("odd-proxy", odd), by_queue_proxy=True)
        found = await ask_in_flight(line, [a_pod("odd", odd), queue_proxy, a_pod("tells", tells)])
    assert found == {"tells": InFlight(3)}
