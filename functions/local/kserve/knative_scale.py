"""How many pods a revision gets. Nothing routes requests here, so idle means: ready for as long as asked."""

from datetime import UTC, datetime

from functions.local.kserve.conditions import find
from functions.local.kserve.resources import Json


def scale_of(deployment: Json, *, least: int, idle: float, routed: bool) -> int:
    """Nothing without traffic; min-scale at least; zero where that is allowed and it has been idle."""
    current = deployment["spec"].get("replicas", 1)
    if not routed:
        return 0
    if least == 0:
        return 0 if current and idle_for(deployment) >= idle else int(current)
    return max(least, int(current))


def idle_for(deployment: Json) -> float:
    """Seconds since the Deployment got available; 0 while it is not."""
    available = find(deployment.get("status", {}), "Available")
    if not available or available["status"] != "True":
        return 0
    since = datetime.fromisoformat(available["lastTransitionTime"])
    return (datetime.now(UTC) - since).total_seconds()
