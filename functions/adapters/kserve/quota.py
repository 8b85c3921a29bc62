"""Whether a start is sure to exceed a ResourceQuota, by what the model's last run requested."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from functions.adapters.cluster import Json
from functions.adapters.kserve.model import Model
from functions.lifecycle.companion import Companion, LastRunPod
from functions.lifecycle.observation import QuotaShortage
from functions.lifecycle.quantity import format_memory, format_quantity, parse_quantity

_BYTES = ("memory", "storage")
_ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}


def find_shortages(model: Model, companion: Companion | None, quotas: Iterable[Json]) -> tuple[QuotaShortage, ...]:
    """Empty where the last run is unknown: then the start is tried and reported. Scoped quotas are left to Kubernetes."""
    if companion is None or not companion.pods:
        return ()
    needed = _needed(model, companion.pods)
    return tuple(
        shortage
        for quota in quotas
        if not (quota.get("spec") or {}).get("scopes") and not (quota.get("spec") or {}).get("scopeSelector")
        for shortage in _shortages(quota, needed)
    )


def _needed(model: Model, pods: Iterable[LastRunPod]) -> dict[str, Decimal]:
    """What starts at once: of each component its minimum, at least one, and never more than ran."""
    by_component: dict[str, list[LastRunPod]] = defaultdict(list)
    for pod in pods:
        by_component[pod.component].append(pod)
    needed: dict[str, Decimal] = defaultdict(Decimal)
    for component, ran in by_component.items():
        minimum = (model.spec.get(component) or {}).get("minReplicas") or model.spec.get("replicas") or 1
        for pod in ran[: max(1, min(int(minimum), len(ran)))]:
            needed["pods"] += 1
            for name, amount in pod.requests.items():
                needed[name] += parse_quantity(amount)
    return needed


def _shortages(quota: Json, needed: dict[str, Decimal]) -> Iterable[QuotaShortage]:
    status = quota.get("status") or {}
    hard = status.get("hard") or (quota.get("spec") or {}).get("hard") or {}
    used = status.get("used") or {}
    for resource, limit in hard.items():
        wanted = needed.get(_ALIASES.get(resource, resource), Decimal(0))
        if wanted and parse_quantity(used.get(resource)) + wanted > parse_quantity(limit):
            needs = format_memory(wanted) if resource.endswith(_BYTES) else format_quantity(wanted)
            yield QuotaShortage(quota["metadata"]["name"], resource, needs, str(used.get(resource, "0")), str(limit))
