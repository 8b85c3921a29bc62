"""ResourceQuotas, and whether a start is sure to exceed one, by what the model's last run requested."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Self

from functions.adapters.cluster import Json
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.schema import QUOTA
from functions.adapters.quantities import parse_quantity
from functions.lifecycle.observation import QuotaShortage
from functions.lifecycle.quantity import format_memory, format_quantity
from functions.lifecycle.stop_note import LastRunPod, StopNote
from functions.object_errors import Stage, count, one_object

_BYTES = ("memory", "storage")
_ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}


@dataclass(frozen=True)
class Quota:
    """Amounts by resource.

    `hard` is what its owner wrote, `enforced` what Kubernetes holds to. `scoped`: for some pods only.
    """

    namespace: str
    name: str
    scoped: bool
    hard: Mapping[str, Decimal]
    enforced: Mapping[str, Decimal]
    used: Mapping[str, Decimal]

    @classmethod
    def read(cls, item: Json) -> Self:
        """An amount that can't be read counts as none, and is counted. KeyError where it has no name."""
        parsed = parse(QUOTA, item)
        for problem in parsed.unusable:
            count(Stage.QUOTA, name_of(item), problem)
        metadata, spec, status = parsed["metadata"], parsed.get("spec") or {}, parsed.get("status") or {}
        return cls(
            metadata.get("namespace") or "",
            metadata["name"],
            bool(spec.get("scopes") or spec.get("scopeSelector")),
            spec.get("hard") or {},
            status.get("hard") or spec.get("hard") or {},
            status.get("used") or {},
        )


def find_shortages(model: Model, stop_note: StopNote | None, quotas: Iterable[Json]) -> tuple[QuotaShortage, ...]:
    """Empty where the last run is unknown: then the start is tried and reported. Scoped quotas are left to Kubernetes."""
    if stop_note is None or not stop_note.pods:
        return ()
    needed = _needed(model, stop_note.pods)
    found: list[QuotaShortage] = []
    for item in quotas:
        with one_object(Stage.QUOTA, name_of(item)):
            quota = Quota.read(item)
            if not quota.scoped:
                found += _shortages(quota, needed)
    return tuple(found)


def _needed(model: Model, pods: Iterable[LastRunPod]) -> dict[str, Decimal]:
    """What starts at once: of each component its minimum, at least one, and never more than ran."""
    by_component: dict[str, list[LastRunPod]] = defaultdict(list)
    for pod in pods:
        by_component[pod.component].append(pod)
    needed: dict[str, Decimal] = defaultdict(Decimal)
    for component, ran in by_component.items():
        minimum = (model.spec.get(component) or {}).get("minReplicas") or model.spec.get("replicas") or 1
        if component == "predictor":
            minimum += _canary_replicas(model, int(minimum))
        for pod in ran[: max(1, min(int(minimum), len(ran)))]:
            needed["pods"] += 1
            for name, amount in pod.requests.items():
                with suppress(ValueError):  # any user who may patch the model may have written it: then it is unknown
                    needed[name] += parse_quantity(amount)
    return needed


def _canary_replicas(model: Model, stable: int) -> int:
    """KServe makes them first, and takes none of the stable predictor's away before they are ready (canaryReplicaCount)."""
    total = 0
    for canary in model.spec.get("canary") or []:
        own = (canary.get("predictor") or {}).get("minReplicas")
        total += ceil(stable * max(canary.get("trafficPercent") or 0, 0) / 100) if own is None else max(own, 0)
    return total


def _shortages(quota: Quota, needed: dict[str, Decimal]) -> Iterable[QuotaShortage]:
    for resource, limit in quota.enforced.items():
        wanted, used = needed.get(_ALIASES.get(resource, resource), Decimal(0)), quota.used.get(resource, Decimal(0))
        if wanted and used + wanted > limit:
            show = format_memory if resource.endswith(_BYTES) else format_quantity
            yield QuotaShortage(quota.name, resource, show(wanted), show(used), show(limit))
