"""One world: Redis, an API server with KServe's behaviour, every process of the product, proxies in between."""

import contextlib
import os
import uuid
from pathlib import Path
from typing import Self

import aiohttp
from function_process import free_port

from functions.local.kubernetes.server import write_kubeconfig
from functions.local.supervisor.part import Part
from schedules import parts as product
from schedules.claims import Claims
from schedules.courier import DELIVERY_SECRET, Courier
from schedules.history import History
from schedules.kubernetes_proxy import KubernetesProxy
from schedules.paths import ROOT
from schedules.redis_proxy import RedisProxy
from schedules.sink import Sink
from schedules.store_faults import StoreFaults
from schedules.traps import Crossing, Trap, Traps
from schedules.upstream import Cluster, api_server
from schedules.valkey import Pair

WATCHERS = ("source", "kserve")


class World:
    """Lives through many schedules, one after the other. An async context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = History()
        self.claims = Claims(self.history)
        self.traps = Traps(self._spring)
        self.redis_proxies: dict[str, RedisProxy] = {}
        self.kubernetes_proxies: dict[str, KubernetesProxy] = {}
        self._sinks: dict[str, Sink] = {}
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        self.pair = Pair(self.folder / "redis")
        self._stack.push_async_callback(self.pair.close)
        await self.pair.start()
        self.store = StoreFaults(self.pair, self._cut_redis)
        upstream = await self._stack.enter_async_context(api_server(self.folder))
        self.cluster = Cluster(upstream, f"schedules-{uuid.uuid4().hex[:8]}")
        await self.cluster.prepare()
        self._stack.push_async_callback(self.cluster.remove)
        self.urls = {name: f"http://127.0.0.1:{free_port()}" for name in (*product.FUNCTIONS, "api")}
        # Shorter than gunicorn's keep-alive of 2 s, as the broker's: see functions/local/broker/dispatcher.py.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=1.0)
        self.session = await self._stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        self.courier = Courier(self.session, self.urls)
        self._stack.push_async_callback(self.courier.close)
        all_parts = [await self._part(name, upstream) for name in (*self.urls, *WATCHERS)]
        running = product.Parts(all_parts, self.folder, self._shared(), self._started)
        self.parts = await self._stack.enter_async_context(running)

    def _shared(self) -> dict[str, str]:
        own = {
            "DELIVERY_SECRETS": DELIVERY_SECRET,
            "AUTH": "none",
            "HOST": "127.0.0.1",
            "LOG_FORMAT": "console",
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **own, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(self.folder / "source.kubeconfig")}

    async def _part(self, name: str, upstream: aiohttp.ClientSession) -> Part:
        """A process whose every way out leads through proxies of its own."""
        kubernetes = KubernetesProxy(name, self.traps, self.claims, upstream)
        sink = Sink(name, self.traps, self.courier.notification if name == "source" else lambda *_: None)
        kubeconfig = self.folder / f"{name}.kubeconfig"
        write_kubeconfig(kubeconfig, await kubernetes.listen())
        self._stack.push_async_callback(kubernetes.close)
        self.kubernetes_proxies[name], self._sinks[name] = kubernetes, sink
        sink_url = await sink.listen()
        self._stack.push_async_callback(sink.close)
        environment = {**self._shared(), "KUBECONFIG": str(kubeconfig), "K_SINK": sink_url}
        if name in WATCHERS:
            make = product.source(sink_url, ROOT, environment)
            return make if name == "source" else product.kserve(environment, self.cluster.namespace)
        proxy = self.redis_proxies[name] = RedisProxy(name, self.traps, self.claims, lambda: self.pair.port)
        environment["REDIS_URL"] = f"redis://127.0.0.1:{await proxy.listen()}/0"
        self._stack.push_async_callback(proxy.close)
        if name == "api":
            return product.api(int(self.urls[name].rpartition(":")[2]), environment)
        return product.function(name, self.urls[name], ROOT, environment)

    def _started(self, name: str, incarnation: int) -> None:
        self.claims.incarnations[name] = incarnation

    def _cut_redis(self) -> None:
        self.claims.bring_back()
        for proxy in self.redis_proxies.values():
            proxy.cut()

    def in_flight(self, process: str) -> int:
        """What an earlier incarnation has sent and is not through yet."""
        now = self.claims.incarnations.get(process, 0)
        found = (self.redis_proxies[process].in_flight, self.kubernetes_proxies[process].in_flight)
        return sum(count for counts in found for incarnation, count in counts.items() if incarnation < now)

    async def _spring(self, trap: Trap, crossing: Crossing) -> bool:
        where = f"{trap.moment} {crossing.io}"
        self.history.add("fault", process=trap.process, action=trap.action, where=where)
        match trap.action:
            case "kill":
                await self.parts.kill(trap.process)
                return True
            case "redis-kill":
                await self.store.kill()
            case "flushall":
                await self.store.flush(self.history)
        return False
