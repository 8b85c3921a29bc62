"""What a pod asks for: the numbers that scheduler and quotas add up."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from functions.local.kubernetes import quantities
from functions.local.kubernetes.store import Obj


def requests(pod: Obj) -> dict[str, Decimal]:
    """The containers' sum, or an init container's where that is larger."""
    return _demand(pod, "requests")


def limits(pod: Obj) -> dict[str, Decimal]:
    return _demand(pod, "limits")


def add(total: dict[str, Decimal], amounts: dict[str, Decimal], sign: int = 1) -> None:
    """Add (or with sign -1 take away) in place."""
    for name, amount in amounts.items():
        total[name] = total.get(name, Decimal(0)) + sign * amount


def _demand(pod: Obj, member: str) -> dict[str, Decimal]:
    total = _sum(pod["spec"].get("containers") or (), member)
    for container in pod["spec"].get("initContainers") or ():
        for name, amount in _sum([container], member).items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    return total


def _sum(containers: Iterable[dict[str, Any]], member: str) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in containers:
        amounts = (container.get("resources") or {}).get(member) or {}
        add(total, {name: quantities.parse(value) for name, value in amounts.items()})
    return total
