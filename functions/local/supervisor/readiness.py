"""Is a part up? Asked with as little as possible: these questions are put many times a second while everything starts."""

import asyncio
import contextlib
from urllib.parse import urlsplit

from functions.local.supervisor.part import Answers, Pongs, Ready

ANSWER_SECONDS = 5.0
FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 1.0


async def until_ready(ready: Answers | Pongs) -> None:
    """Asks until the answer is right, less and less often."""
    wait = FIRST_WAIT_SECONDS
    while not _is_right(await _ask(ready)):
        await asyncio.sleep(wait)
        wait = min(wait * 1.1, LONGEST_WAIT_SECONDS)


async def why_not(ready: Ready) -> str:
    """What it answers instead, in a line; empty where there is nothing to ask or no answer."""
    if not isinstance(ready, Answers):
        return ""
    head, _, body = (await _ask(ready)).partition(b"\r\n\r\n")
    return "" if _is_right(head) else body.decode(errors="replace").strip()[:400]


def _is_right(answer: bytes) -> bool:
    return answer.startswith((b"+PONG", b"HTTP/1.1 200 "))


async def _ask(ready: Answers | Pongs) -> bytes:
    if isinstance(ready, Pongs):
        return await _exchange("127.0.0.1", ready.port, b"PING\r\nQUIT\r\n")
    url = urlsplit(ready.url)
    assert url.hostname
    assert url.port
    request = f"GET {url.path or '/'} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
    return await _exchange(url.hostname, url.port, request.encode())


async def _exchange(host: str, port: int, request: bytes) -> bytes:
    """The whole answer, until the other side closes; empty when there is none."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                return await reader.read(-1)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""
