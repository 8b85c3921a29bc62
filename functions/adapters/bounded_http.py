"""One HTTP exchange within bounds: no redirect followed, nothing decompressed, no more read than is wanted, given up in
time.
"""

from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

CONNECT_SECONDS = 1.0
_PLAIN = frozenset({"", "identity"})
_SHOWN = 40


def session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    """Without cookies, without decompression, without anything from the environment."""
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
    )


async def exchange(
    client: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    seconds: float,
    most: int,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    **more: Any,
) -> tuple[int, bytes, str]:
    """Status, body, and why the body can't be used ("": it can). `url` goes out as it is. `body` goes as JSON.

    Raises TimeoutError where no answer has begun in time, and aiohttp's errors where none came about.
    """
    limit = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))
    sent = {**(headers or {}), "Accept-Encoding": "identity"}
    async with client.request(
        method, URL(url, encoded=True), headers=sent, json=body, allow_redirects=False, timeout=limit, **more
    ) as response:
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in _PLAIN:
            return response.status, b"", f"its body is encoded ({coding[:_SHOWN]}), which was not asked for"
        try:
            read = await _read(response.content, most)
        except TimeoutError:
            return response.status, b"", "its body did not end in time"
        except (aiohttp.ClientError, OSError) as error:
            return response.status, b"", f"its body broke off ({type(error).__name__})"
        if len(read) > most:
            return response.status, b"", f"its body is larger than {most // 1024} KiB"
        return response.status, read, ""


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    """What comes in pieces is put together; one byte more than `most` at the most."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > most:
            break
    return bytes(body[: most + 1])
