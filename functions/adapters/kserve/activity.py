"""When KServe last changed the status of a model: a stop that waits in its queue is not one that it ignores.

KServe reconciles one object after the other, at 20 requests a second.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from events.model import Kind, ModelRef
from functions.adapters.cluster import Cluster, Json, Missing
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import Resources
from functions.object_errors import Stage, one_object

KEPT = timedelta(seconds=10)
"""However many stops wait, all models of a kind are listed once in this time."""
_Moves = dict[tuple[str, str], datetime]


class Activity:
    def __init__(self, cluster: Cluster, resources: Resources, clock: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._resources = resources
        self._clock = clock
        self._known: dict[Kind, tuple[datetime, _Moves]] = {}
        self._reading = asyncio.Lock()

    async def beside(self, ref: ModelRef) -> datetime | None:
        """The newest change of another model's conditions; None: there is none. Raises as a list of models does."""
        async with self._reading:
            read_at, moves = self._known.get(ref.kind, (None, {}))
            if read_at is None or self._clock() - read_at >= KEPT:
                moves = await self._read(ref.kind)
                self._known[ref.kind] = self._clock(), moves
        own = (ref.namespace, ref.name)
        return max((changed for model, changed in moves.items() if model != own), default=None)

    async def _read(self, kind: Kind) -> _Moves:
        try:
            items = await self._cluster.list_all(await self._resources.collection(kind))
        except Missing:
            return {}
        moves: _Moves = {}
        for item in items:
            with one_object(Stage.MODEL, name_of(item)):
                metadata = item["metadata"]
                if changed := _changed(kind, item):
                    moves[metadata["namespace"], metadata["name"]] = changed
        return moves


def _changed(kind: Kind, item: Json) -> datetime | None:
    conditions = Model(kind, item).status.get("conditions") or []
    return max((changed for one in conditions if (changed := one.get("lastTransitionTime"))), default=None)
