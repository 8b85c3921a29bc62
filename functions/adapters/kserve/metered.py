"""Where a pod's metrics are: by its annotations, as a Prometheus would find them, else at its model server.

Sources: KServe's pkg/constants (`prometheus.kserve.io/port`, `/path` come from the serving runtime, `prometheus.io/*` are what a
Prometheus is told); Knative Serving's pkg/networking (queue-proxy's port 9090 is what its autoscaler asks).
"""

from dataclasses import dataclass

from events.model import Kind
from functions.adapters.cluster import Json
from functions.adapters.kserve.served import (
    Server,
    container_of,
    holds_model,
    server_at,
    server_container,
    server_port,
    speaks_tls,
)
from functions.adapters.segments import port_number, quoted_path

_PREFIXES = ("prometheus.kserve.io", "prometheus.io")
_QUEUE_PROXY = "queue-proxy"
_AUTOSCALER_PORT = 9090
_PATH = "/metrics"


@dataclass(frozen=True)
class Metered:
    """`by_queue_proxy`: what answers is Knative's proxy, through which all requests of the pod go."""

    server: Server
    path: str
    by_queue_proxy: bool = False


def metered(kind: Kind, item: Json) -> Metered | None:
    """None where nothing in the pod could tell."""
    if container_of(item, _QUEUE_PROXY):
        return Metered(server_at(item, _AUTOSCALER_PORT, tls=False), _PATH, by_queue_proxy=True)
    container = server_container(kind, item)
    if container is None or not holds_model(kind, item):
        return None
    found = item["metadata"].get("annotations")
    annotations = found if isinstance(found, dict) else {}
    own = server_port(kind, container)
    prefix = next((one for one in _PREFIXES if port_number(annotations.get(f"{one}/port"))), None)
    port = port_number(annotations.get(f"{prefix}/port")) if prefix else own
    path = quoted_path(annotations.get(f"{prefix}/path")) if prefix else None
    return Metered(server_at(item, port, tls=speaks_tls(container) and port == own), path or _PATH)
