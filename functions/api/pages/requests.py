"""Requests in flight at models that are to be stopped, as far as their pods' own metrics report them."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from events.model import Kind, ModelRef
from functions.adapters.cluster import Json, Missing
from functions.adapters.in_flight import InFlight, ask_in_flight
from functions.adapters.kserve.metered import Metered, metered
from functions.adapters.kserve.observations import PodList
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import pod_selector, pods
from functions.api.context import Api
from functions.lifecycle.errors import StepError
from functions.object_errors import Stage, one_object

MOST_PODS = 100
_LISTS_AT_ONCE = 8


@dataclass(frozen=True)
class Counted:
    """`requests` None: unknown. `exact` False: at least so many, since not everything tells."""

    requests: int | None = None
    exact: bool = False


UNKNOWN = Counted()


async def count_requests(api: Api, refs: Sequence[ModelRef]) -> dict[ModelRef, Counted]:
    """A confirmation waits for this: a list for each model, then a second for all pods, of which 100 are asked, each
    model's in turn.
    """
    if api.parts.probe.line is None:
        return {}
    gate = asyncio.Semaphore(_LISTS_AT_ONCE)

    async def listed(ref: ModelRef) -> list[Json] | None:
        async with gate:
            try:
                found = await api.parts.cluster.get(pods(ref.namespace), labelSelector=pod_selector(ref))
            except (StepError, Missing):
                return None
            return [item for item in PodList.read(ref, found).readable.values() if _has_a_process(item)]

    lists = await asyncio.gather(*(listed(ref) for ref in refs))
    known = {ref: items for ref, items in zip(refs, lists, strict=True) if items is not None}
    by_model = [list(_telling(ref.kind, items)) for ref, items in known.items()]
    telling = [pod for pods_of_each in itertools.zip_longest(*by_model) for pod in pods_of_each if pod]
    probe = api.parts.probe
    told = await ask_in_flight(probe.line, telling[:MOST_PODS], turns=probe.metrics_turns)
    return {ref: _count(items, told) for ref, items in known.items()}


def _telling(kind: Kind, items: Iterable[Json]) -> Iterator[Metered]:
    for item in items:
        with one_object(Stage.POD, name_of(item)):
            if found := metered(kind, item):
                yield found


def _has_a_process(item: Json) -> bool:
    """A pod that waits for its node or its image has no requests; one that is ending may still have some."""
    return (item.get("status") or {}).get("phase") in {"Running", "Unknown"}


def _count(items: Sequence[Json], told: Mapping[str, InFlight]) -> Counted:
    found = [told.get(item["metadata"]["uid"]) for item in items]
    return together([Counted(one.requests, one.exact) if one else UNKNOWN for one in found])


def together(counts: Sequence[Counted]) -> Counted:
    """Zero that is not exact says nothing, and is unknown."""
    if all(one.requests is None for one in counts) and counts:
        return UNKNOWN
    requests = sum(one.requests or 0 for one in counts)
    exact = all(one.exact for one in counts)
    return Counted(requests, exact) if requests or exact else UNKNOWN
