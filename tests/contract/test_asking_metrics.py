"""Asking real servers for their metrics: those that tell, hang and refuse, within one second for all."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from functions.adapters.kserve.metered import Metered
from functions.adapters.kserve.served import Server
from functions.adapters.under_way import UnderWay, ask_under_way

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


def a_pod(uid, port):
    server = Server(uid, f"pod-{uid}", "fraud", "127.0.0.1", port, tls=False, names=(), told=False, protocols=())
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
        found = await ask_under_way(line, pods)
    assert found == {"tells": UnderWay(3)}
    assert 0.9 < time.monotonic() - begun < 1.8


async def test_a_hundred_pods_that_hang_take_one_second_together(line):
    async with serving(silent=True) as port:
        begun = time.monotonic()
        assert await ask_under_way(line, [a_pod(str(number), port) for number in range(100)]) == {}
    assert time.monotonic() - begun < 1.9


async def test_nobody_is_asked_where_asking_is_off_or_nothing_could_tell(line):
    assert await ask_under_way(None, [a_pod("1", 1)]) == {}
    assert await ask_under_way(line, []) == {}
