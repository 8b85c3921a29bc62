"""The arithmetic of a rollout: the name of a template's ReplicaSet, how many pods more or fewer are allowed."""

import hashlib
import json
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from functions.local.kubernetes.objects import ALPHABET
from functions.local.kubernetes.store import Obj


def template_hash(obj: Obj) -> str:
    """Ten letters that depend on the pod template (and on name collisions seen): same template, same ReplicaSet name."""
    seen = [obj["spec"]["template"], (obj.get("status") or {}).get("collisionCount", 0)]
    digest = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:10])


def replica_set_name(deployment: Obj) -> str:
    """The ReplicaSet that runs the Deployment's present template."""
    return f"{deployment['metadata']['name']}-{template_hash(deployment)}"


def bounds(deployment: Obj) -> tuple[int, int]:
    """(maxSurge rounded up, maxUnavailable rounded down) in pods; never both 0."""
    rolling = deployment["spec"]["strategy"].get("rollingUpdate") or {}
    wanted = deployment["spec"]["replicas"]
    surge = _share(rolling.get("maxSurge", "25%"), wanted, ROUND_CEILING)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, ROUND_FLOOR)
    return surge, (unavailable or (0 if surge else 1))


def _share(value: int | str, whole: int, rounding: str) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return int((Decimal(value[:-1]) * whole / 100).to_integral_value(rounding=rounding))
    return int(value)
