"""Where a pod's metrics are: by its annotations, as a Prometheus would find them, else at its model server.

Sources: KServe's pkg/constants (`prometheus.kserve.io/port`, `/path` come from the serving runtime, `prometheus.io/*` are what a
Prometheus is told); Knative Serving's pkg/networking (queue-proxy's port 9090 is what its autoscaler asks).
"""

from dataclasses import dataclass

from events.model import Kind
from functions.adapters.cluster import Json
from functions.adapters.kserve.served import Server, holds_model, server_container, server_port, speaks_tls

_PREFIXES = ("prometheus.kserve.io", "prometheus.io")
_QUEUE_PROXY = "queue-proxy"
_AUTOSCALER_PORT = 9090
_HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class Metered:
    """`by_queue_proxy`: what answers is Knative's proxy, through which all requests of the pod go."""

    server: Server
    path: str
    by_queue_proxy: bool = False


def metered(kind: Kind, item: Json) -> Metered | None:
    """None where nothing in the pod could tell."""
    containers = (item.get("spec") or {}).get("containers") or []
    if any(container.get("name") == _QUEUE_PROXY for container in containers):
        return Metered(_server(item, _AUTOSCALER_PORT, tls=False), "/metrics", by_queue_proxy=True)
    container = server_container(kind, item)
    if container is None or not holds_model(kind, item):
        return None
    annotations = item["metadata"].get("annotations") or {}
    own = server_port(kind, container)
    prefix = next((one for one in _PREFIXES if _is_port(annotations.get(f"{one}/port"))), None)
    port = int(annotations[f"{prefix}/port"]) if prefix else own
    path = annotations.get(f"{prefix}/path") if prefix else None
    return Metered(_server(item, port, tls=speaks_tls(container) and port == own), _path(path))


def _is_port(text: str | None) -> bool:
    return bool(text) and str(text).isdecimal() and 0 < int(str(text)) <= _HIGHEST_PORT


def _path(text: str | None) -> str:
    """Whoever may annotate a pod may name a path on it, and nothing else."""
    return (
        text if text and text.startswith("/") and text.isprintable() and not set(text) & set(" ?#%\\") else "/metrics"
    )


def _server(item: Json, port: int, *, tls: bool) -> Server:
    return Server(
        pod_uid=item["metadata"]["uid"],
        pod=item["metadata"]["name"],
        namespace=item["metadata"]["namespace"],
        address=(item.get("status") or {}).get("podIP") or "",
        port=port,
        tls=tls,
        names=(),
        told=False,
        protocols=(),
    )
