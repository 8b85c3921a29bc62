"""In place of a cluster, for a pod that has no account's token: what it would ask is refused here, and sent nowhere."""

from typing import NoReturn

from functions.adapters.cluster import Cluster
from functions.lifecycle.errors import ClusterUnavailable


class NoCluster(Cluster):
    """Every request raises ClusterUnavailable."""

    def __init__(self) -> None:
        """Connects to nothing, so there is nothing to close."""

    async def close(self) -> None:
        return

    async def _request(self, method: str, path: str, *_rest: object, **_more: object) -> NoReturn:
        raise ClusterUnavailable(f"{method} {path}: this process has no access to the cluster, and needs none")

    async def raw(self, method: str, path: str, *_rest: object, **_more: object) -> NoReturn:
        await self._request(method, path)
