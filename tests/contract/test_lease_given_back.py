"""However a step ends, the model's lease is given back: the next command does not wait until it expires."""

import asyncio
import contextlib

import pytest

from events.commands import StartRequested, StopRequested
from events.model import ModelRef
from functions import reconciler as module
from functions.adapters.cluster import Cluster
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe, ProxyLine
from functions.composition import now
from functions.lifecycle.errors import Code, Temporary
from functions.lifecycle.observation import Observation, Owner, Pin
from functions.lifecycle.request import Request
from functions.lifecycle.scene import Limits
from functions.local.kubernetes.server import write_kubeconfig
from functions.reconciler import Reconciler

REF = ModelRef(namespace="fraud", name="scorer")


def asked(identity, command=None):
    return Request(REF, command or StopRequested(), "/test", identity, "oncall", by_event=True)


@contextlib.asynccontextmanager
async def api_server(answer, monkeypatch, folder, seconds=0.0):
    """An API server that takes each request and answers with these bytes after that time, or never."""

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(seconds)
            if answer is not None:
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\nconnection: close\r\n\r\n"
                writer.write(head.encode() + answer)
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    kubeconfig = folder / "kubeconfig"
    write_kubeconfig(kubeconfig, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    cluster = await Cluster.connect()
    try:
        yield cluster
    finally:
        await cluster.close()
        server.close()


def reconciler_of(cluster, store):
    resources, grace = Resources(cluster), Grace(cluster)
    return Reconciler(
        cluster,
        resources,
        Observer(cluster, resources, grace, Probe(ProxyLine(cluster)), now),
        grace,
        store,
        limits=Limits(),
    )


async def test_a_step_that_takes_too_long_gives_the_lease_back(store, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "RECONCILE_SECONDS", 0.3)
    async with api_server(None, monkeypatch, tmp_path) as cluster:
        with pytest.raises(Temporary) as told:
            await reconciler_of(cluster, store).command(asked("1"))
    assert told.value.code is Code.BUSY
    assert "longer than" in told.value.message
    assert (await store.claim(asked("2", StartRequested()))).token


@pytest.mark.parametrize("answer", [b"[]", b'{"resources": [7]}', b'{"metadata": "x", "spec": 3, "items": 1}'])
async def test_a_step_that_meets_garbage_gives_the_lease_back(answer, store, monkeypatch, tmp_path):
    async with api_server(answer, monkeypatch, tmp_path) as cluster:
        with contextlib.suppress(Exception):  # refused, or an error: either way
            await reconciler_of(cluster, store).command(asked("1"))
    assert (await store.claim(asked("2", StartRequested()))).token


async def test_a_step_that_is_cut_off_gives_the_lease_back(store, raw, monkeypatch, tmp_path):
    async with api_server(None, monkeypatch, tmp_path) as cluster:
        step = asyncio.create_task(reconciler_of(cluster, store).command(asked("1")))
        while not [key for key in await raw.keys("*:model:*") if await raw.hexists(key, "busy")]:
            await asyncio.sleep(0.01)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
    assert (await store.claim(asked("2", StartRequested()))).token


async def test_of_many_models_at_once_none_runs_out_of_time_while_others_act(store, monkeypatch, tmp_path):
    """Each unpins an owner in 0.2 s, 16 at a time: together they take longer than one of them may."""
    monkeypatch.setattr(module, "RECONCILE_SECONDS", 2.0)
    pin = Pin(Owner("ReplicaSet", "scorer", "owner-1"), terminating=True)
    gone = [
        Observation(ModelRef(namespace="fraud", name=f"gone-{number}"), now(), exists=False, pins=(pin,))
        for number in range(16 * 15)
    ]
    async with api_server(b"{}", monkeypatch, tmp_path, seconds=0.2) as cluster:
        failed = await reconciler_of(cluster, store).notifications(gone)
    assert [error for error in failed if error] == []
