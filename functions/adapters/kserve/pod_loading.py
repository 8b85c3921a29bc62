"""What of a pod shows that it loads, and for how long its startup probe lets it."""

from functions.adapters.cluster import Json

_THRESHOLD, _PERIOD = 3, 10
"""What Kubernetes takes where a probe says nothing."""


def startup_seconds(spec: Json) -> float:
    """How long the slowest container may take until the kubelet restarts it; 0 without a startup probe."""
    return max((_seconds(container) for container in spec.get("containers") or []), default=0)


def _seconds(container: Json) -> float:
    probe = container.get("startupProbe")
    if not probe:
        return 0
    tries = (probe.get("failureThreshold") or _THRESHOLD) * (probe.get("periodSeconds") or _PERIOD)
    return float((probe.get("initialDelaySeconds") or 0) + tries)


def loading(spec: Json, status: Json) -> str | None:
    """A container runs that loads: an init container, such as KServe's storage initializer, or one whose startup probe
    lets it go on. None where it has no sign of that, as a server with a readiness probe alone.

    A sidecar that has started is none of them; nor is a container that was restarted, since it may end the same way.
    """
    sidecars = {one.get("name") for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"}
    for container in status.get("initContainerStatuses") or []:
        if container.get("name") not in sidecars and _runs(container):
            return f"init container {container.get('name')} runs."
    probed = {one.get("name") for one in spec.get("containers") or [] if one.get("startupProbe")}
    for container in status.get("containerStatuses") or []:
        if container.get("name") in probed and _runs(container) and not container.get("started"):
            return f"container {container.get('name')} runs, and its startup probe lets it go on."
    return None


def _runs(container: Json) -> bool:
    return (container.get("state") or {}).get("running") is not None and not container.get("restartCount")
