"""Whether the runtime that a model names is there: in its namespace, or for the whole cluster."""

from enum import Enum, auto

from functions.adapters.cluster import Cluster, Forbidden, Json, Missing
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.resources import GROUP, named
from functions.adapters.kserve.schema import RUNTIME


class Found(Enum):
    """UNKNOWN where we may not read runtimes: then nothing is refused for their sake."""

    THERE = auto()
    MISSING = auto()
    DISABLED = auto()
    UNKNOWN = auto()


class Runtimes:
    """Remembers what it was asked, so it lives only as long as one request."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[tuple[str, str], Found] = {}

    async def find(self, namespace: str, name: str) -> Found:
        key = (namespace, name)
        if key not in self._known:
            self._known[key] = await self._look(namespace, name)
        return self._known[key]

    async def _look(self, namespace: str, name: str) -> Found:
        places = (
            f"{GROUP}/v1alpha1/namespaces/{namespace}/servingruntimes",
            f"{GROUP}/v1alpha1/clusterservingruntimes",
        )
        for place in places:
            try:
                return _state(await self._cluster.get(named(place, name)))
            except Missing:
                continue
            except Forbidden:
                return Found.UNKNOWN
        return Found.MISSING


def _state(runtime: Json) -> Found:
    return Found.DISABLED if (parse(RUNTIME, runtime).get("spec") or {}).get("disabled") else Found.THERE
