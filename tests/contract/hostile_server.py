"""A model server on a real socket that answers what it likes: bytes as they are, slowly, or without end."""

import asyncio
import gzip
import json
import zlib
from contextlib import asynccontextmanager, suppress


def answer(status, body=b"", **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


MISSING = answer(404, {"error": "Model with name m does not exist."})
READY = answer(200, {"name": "m", "ready": True})
NOT_FOUND = answer(404, {"detail": "Not Found"})


def gzip_bomb(megabytes):
    """That many MiB of zeros."""
    return answer(200, gzip.compress(bytes(megabytes * 1024 * 1024)), Content_Encoding="gzip")


def deflate_bomb(megabytes):
    return answer(200, zlib.compress(bytes(megabytes * 1024 * 1024)), Content_Encoding="deflate")


async def never_ending(writer):
    """Chunked, 1 KiB a second."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"400\r\n" + b"[" * 1024 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(1)


async def endless_headers(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-A: " + b"a" * 4000 + b"\r\n")
        await writer.drain()


async def endless_flood(writer):
    """As fast as it is read."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def silence(_writer):
    await asyncio.Event().wait()


class Tally:
    """`asked`: every request's target as it came. `now` and `most`: connections at work."""

    def __init__(self):
        self.asked, self.now, self.most, self.heads = [], 0, 0, []


@asynccontextmanager
async def serving(paths=None, otherwise=NOT_FOUND, *, host="127.0.0.1", pause=0.0, tls=None):
    """By TLS where a context is given. Answers `paths`, elsewhere `otherwise`: bytes, or a coroutine function that is given the writer.

    Yields port and tally.
    """
    tally, handlers = Tally(), set()

    async def handle(reader, writer):
        task = asyncio.current_task()
        handlers.add(task)
        tally.now += 1
        tally.most = max(tally.most, tally.now)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                head = await reader.readuntil(b"\r\n\r\n")
                tally.heads.append(head.decode("latin-1"))
                tally.asked.append(tally.heads[-1].split(" ")[1])
                await asyncio.sleep(pause)
                said = (paths or {}).get(tally.asked[-1].partition("?")[0], otherwise)
                if isinstance(said, bytes):
                    writer.write(said)
                    await writer.drain()
                else:
                    await said(writer)
        finally:
            tally.now -= 1
            handlers.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, host, 0, backlog=1000, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], tally
    finally:
        server.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
