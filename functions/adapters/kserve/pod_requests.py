"""What a pod requests, as the scheduler and quotas count it (k8s.io/component-helpers/resource, PodRequests and PodLimits)."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from functions.adapters.cluster import Json

Amounts = dict[str, Decimal]
_OF_THE_POD = ("cpu", "memory")
"""With hugepages, what may be set for a whole pod; it then counts instead of the containers' sum."""


def effective_requests(spec: Json) -> Amounts:
    """By `requests.NAME` and `limits.NAME`."""
    requests, limits = _effective(spec, "requests"), _effective(spec, "limits")
    return {
        **{f"requests.{name}": amount for name, amount in requests.items()},
        **{f"limits.{name}": amount for name, amount in limits.items()},
    }


def _effective(spec: Json, kind: str) -> Amounts:
    total = _together(spec, kind)
    own = spec.get("resources") or {}
    for name, amount in (own.get(kind) or {}).items():
        if _settable(name):
            total[name] = amount
    if kind == "requests":
        for name, amount in (own.get("limits") or {}).items():
            if _settable(name):
                total.setdefault(name, amount)
    for name, amount in (spec.get("overhead") or {}).items():
        if kind == "requests" or name in total:
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def _together(spec: Json, kind: str) -> Amounts:
    """Containers and sidecars; or an init container with the sidecars that were started before it, where that is more."""
    total = _sum((_amounts(container, kind) for container in spec.get("containers") or []), {})
    sidecars: Amounts = {}
    most: Amounts = {}
    for container in spec.get("initContainers") or []:
        asked = _amounts(container, kind)
        if container.get("restartPolicy") == "Always":
            sidecars = _sum([asked], sidecars)
            total = _sum([asked], total)
            asked = {}
        for name, amount in _sum([asked], sidecars).items():
            most[name] = max(amount, most.get(name, Decimal(0)))
    return {name: max(total.get(name, Decimal(0)), most.get(name, Decimal(0))) for name in {**total, **most}}


def _sum(amounts: Iterable[Mapping[str, Decimal]], start: Amounts) -> Amounts:
    total = dict(start)
    for one in amounts:
        for name, amount in one.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def _amounts(container: Mapping[str, Any], kind: str) -> Amounts:
    """A limit alone is a request too."""
    resources = container.get("resources") or {}
    limits = resources.get("limits") or {}
    return {**limits, **(resources.get("requests") or {})} if kind == "requests" else dict(limits)


def _settable(name: str) -> bool:
    return name in _OF_THE_POD or name.startswith("hugepages-")
