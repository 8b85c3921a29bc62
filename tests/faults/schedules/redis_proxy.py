"""Between one process and Redis: counts its calls, lets faults come in between, notes claims and commits."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from schedules.claims import Claims
from schedules.resp import Incomplete, read_all
from schedules.traps import Crossing, Dropped, Traps

HOST = "127.0.0.1"
HELD_SECONDS = 0.4
_HANDSHAKE = {"HELLO", "CLIENT", "AUTH", "SELECT", "PING", "SCRIPT", "XREAD"}
"""Not counted: how a connection begins, and the API's long read of the history."""


class RedisProxy:
    """`upstream` names the port of the server in use now."""

    def __init__(self, process: str, traps: Traps, claims: Claims, upstream: Callable[[], int]) -> None:
        self._process, self._traps, self._claims, self._upstream = process, traps, claims, upstream
        self._open: set[asyncio.StreamWriter] = set()
        self.in_flight: Counter[int] = Counter()
        """Connections on which something may still reach Redis, by the incarnation of the process."""

    async def listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Every connection breaks: another server is the primary now."""
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incarnation = self._claims.incarnations.get(self._process, 0)
        self.in_flight[incarnation] += 1
        far = None
        try:
            far_reader, far = await asyncio.open_connection(HOST, self._upstream())
            self._open |= {writer, far}
            while await self._exchange(reader, writer, far_reader, far):
                pass
        except (OSError, Dropped, asyncio.IncompleteReadError):
            pass
        finally:
            self.in_flight[incarnation] -= 1
            for end in (writer, far):
                if end:
                    self._open.discard(end)
                    end.close()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far: asyncio.StreamWriter,
    ) -> bool:
        asked, commands = await _whole(reader, 1)
        if not commands:
            return False
        label = self._claims.label(commands[0])
        crossing = None
        if commands[0][0].upper() not in _HANDSHAKE:
            crossing = await self._traps.enter(self._process, "redis", f"redis {label}")
        noted = self._claims.sent(self._process, commands)
        far.write(asked)
        await far.drain()
        answered, replies = await _whole(far_reader, len(commands))
        if not answered:
            return False
        self._claims.replied(noted, replies)
        await self._pass_on(crossing)
        with contextlib.suppress(OSError):  # whoever asked may have given up; what it asked for is done all the same
            writer.write(answered)
            await writer.drain()
        return True

    async def _pass_on(self, crossing: Crossing | None) -> None:
        if crossing:
            await self._traps.leave(crossing)
            if crossing.has("redis-hold"):
                await asyncio.sleep(HELD_SECONDS)


async def _whole(reader: asyncio.StreamReader, least: int) -> tuple[bytes, list[Any]]:
    """Bytes that end with a value, at least `least` of them; nothing where the connection ended first."""
    data = b""
    while chunk := await reader.read(1 << 20):
        data += chunk
        with contextlib.suppress(Incomplete):
            values = read_all(data)
            if len(values) >= least:
                return data, values
    return b"", []
