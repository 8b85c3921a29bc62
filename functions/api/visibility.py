"""What a user may see: the one filter that every list, count, picture and event goes through."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from events.model import Kind, ModelRef
from events.status import ModelStatus
from functions.adapters.identity import Right, User
from functions.api.context import Api
from functions.api.listing import require_synced
from functions.api.overview import Line, Place, Tally, together

AT_ONCE = 16


@dataclass(frozen=True)
class Sight:
    """Kinds that the user may list everywhere, and of the others the namespaces where they may."""

    everywhere: frozenset[Kind]
    places: frozenset[Place]

    def sees(self, ref: ModelRef | None) -> bool:
        """What names no model is for those who may list every InferenceService."""
        if ref is None:
            return Kind.INFERENCE_SERVICE in self.everywhere
        return self.sees_place(ref.namespace, ref.kind)

    @property
    def namespaces(self) -> frozenset[str] | None:
        """Where there may be something to see; None: everywhere, and what belongs to no namespace."""
        return None if self.everywhere else frozenset(namespace for namespace, _ in self.places)

    def sees_place(self, namespace: str, kind: Kind) -> bool:
        return kind in self.everywhere or (namespace, kind) in self.places


@dataclass(frozen=True)
class Scene:
    """The models that this user may see, as they are now."""

    user: User
    sight: Sight
    lines: list[Line]
    tally: Tally


async def look_around(api: Api, user: User) -> Scene:
    """Raises StoreUnavailable; StoreRebuilding while the records are being rebuilt after a loss."""
    data = await require_synced(api)
    lines = await api.overview.lines(data)
    tallies = await api.overview.tallies(data)
    await require_synced(api, data)
    sight = await sight_of(api, user, tallies)
    visible = lines if len(sight.everywhere) == len(Kind) else [line for line in lines if sight.sees(line.ref)]
    return Scene(user, sight, visible, _seen(sight, tallies))


async def totals(api: Api, user: User) -> Tally:
    """Of everything that the user may see. Raises as `look_around`."""
    tallies = await api.overview.tallies(await require_synced(api))
    return _seen(await sight_of(api, user, tallies), tallies)


def _seen(sight: Sight, tallies: Mapping[Place, Tally]) -> Tally:
    return together(tally for (namespace, kind), tally in tallies.items() if sight.sees_place(namespace, kind))


async def sight_of(api: Api, user: User, places: Iterable[Place]) -> Sight:
    everywhere = frozenset([kind for kind in Kind if await api.access.may(user, "list", kind)])
    return Sight(
        everywhere, await allowed(api, user, "list", (place for place in places if place[1] not in everywhere))
    )


async def allowed(api: Api, user: User, right: Right, places: Iterable[Place]) -> frozenset[Place]:
    """Of these places those where the user has this right; each is asked once, and kept for a moment."""
    ordered = sorted(set(places))
    if len(ordered) == 1:  # as for every event of a stream: not worth a task
        [(namespace, kind)] = ordered
        return frozenset(ordered) if await api.access.may(user, right, kind, namespace) else frozenset()
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(namespace: str, kind: Kind) -> bool:
        async with gate:
            return await api.access.may(user, right, kind, namespace)

    answers = await asyncio.gather(*(ask(*place) for place in ordered))
    return frozenset(place for place, answer in zip(ordered, answers, strict=True) if answer)


async def may_patch_each(api: Api, user: User, statuses: list[ModelStatus]) -> list[tuple[ModelStatus, bool]]:
    """Each model with whether the user may patch it: a right is given for a whole namespace, or for single names."""
    places = await allowed(api, user, "patch", ((status.namespace, status.kind) for status in statuses))

    async def may(status: ModelStatus) -> bool:
        whole = (status.namespace, status.kind) in places
        return whole or await api.access.may(user, "patch", status.kind, status.namespace, status.name)

    return [(status, await may(status)) for status in statuses]
