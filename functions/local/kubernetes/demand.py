"""What a pod asks for: the numbers that scheduler and quotas add up."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from functions.local.kubernetes import quantities
from functions.local.kubernetes.store import Obj

_SETTABLE = ("cpu", "memory")


def requests(pod: Obj) -> dict[str, Decimal]:
    """As the real scheduler counts them."""
    return _demand(pod, "requests")


def limits(pod: Obj) -> dict[str, Decimal]:
    return _demand(pod, "limits")


def add(total: dict[str, Decimal], amounts: dict[str, Decimal], sign: int = 1) -> None:
    """Add (or with sign -1 take away) in place."""
    for name, amount in amounts.items():
        total[name] = total.get(name, Decimal(0)) + sign * amount


def _demand(pod: Obj, member: str) -> dict[str, Decimal]:
    """Sidecars run beside the containers, and beside the init containers after them; a pod's own resources replace the sum."""
    spec = pod["spec"]
    total = _sum(spec.get("containers") or (), member)
    sidecars: dict[str, Decimal] = {}
    first: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        asked = _sum([container], member)
        if container.get("restartPolicy") == "Always":
            add(sidecars, asked)
            add(total, asked)
            asked = {}
        for name in {**asked, **sidecars}:
            both = asked.get(name, Decimal(0)) + sidecars.get(name, Decimal(0))
            first[name] = max(first.get(name, Decimal(0)), both)
    for name, amount in first.items():
        total[name] = max(total.get(name, Decimal(0)), amount)
    own = spec.get("resources") or {}
    total |= _of_the_pod(own, member)
    if member == "requests":
        total = {**_of_the_pod(own, "limits"), **total}
    overhead = {name: quantities.parse(value) for name, value in (spec.get("overhead") or {}).items()}
    add(total, {name: amount for name, amount in overhead.items() if member == "requests" or name in total})
    return total


def _of_the_pod(resources: dict[str, Any], member: str) -> dict[str, Decimal]:
    amounts = resources.get(member) or {}
    return {name: quantities.parse(value) for name, value in amounts.items() if name in _SETTABLE}


def _sum(containers: Iterable[dict[str, Any]], member: str) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in containers:
        amounts = (container.get("resources") or {}).get(member) or {}
        add(total, {name: quantities.parse(value) for name, value in amounts.items()})
    return total
