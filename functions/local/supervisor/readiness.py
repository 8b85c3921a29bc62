"""Is a part up? Asked with as little as possible: these questions are put many times a second while everything starts."""

import asyncio
import contextlib
from urllib.parse import urlsplit

from functions.local.supervisor.part import Answers, Pongs

ANSWER_SECONDS = 5.0
EVERY_SECONDS = 0.05


async def until_ready(ready: Answers | Pongs) -> None:
    """Asks until the answer is right."""
    while not await _ask(ready):  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(EVERY_SECONDS)


async def _ask(ready: Answers | Pongs) -> bool:
    if isinstance(ready, Pongs):
        return (await _exchange("127.0.0.1", ready.port, b"PING\r\n")).startswith(b"+PONG")
    url = urlsplit(ready.url)
    assert url.hostname
    assert url.port
    request = f"GET {url.path or '/'} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
    return b" 200 " in await _exchange(url.hostname, url.port, request.encode())


async def _exchange(host: str, port: int, request: bytes) -> bytes:
    """The first line of the answer; empty when there is none."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                return await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""
