"""What was read from the cluster before anything is planned. None: it is not there. `UNREADABLE`: we may not know."""

from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]


class Unreadable:
    """In place of what the API server does not let us read."""


UNREADABLE: Final = Unreadable()


@dataclass(frozen=True)
class Seen:
    """`model` is the one named, `served` the one that will serve (the same where it is in place)."""

    model: Json | None = None
    served: Json | None = None
    namespace: Json | Unreadable | None = None
    claim: Json | None = None
    volume: Json | Unreadable | None = None
    classes: tuple[Json, ...] | Unreadable = ()
    runtime: Json | None = None
    runtime_is_cluster_wide: bool = False
    runtime_copy: Json | None = None
    pods: tuple[Json, ...] = ()
    nodes: int | None = None
    storage_secret: dict[str, Json] | None = field(default_factory=dict)
    """None: it may not be read."""
    storage_secret_name: str = "storage-config"  # noqa: S105 - a name, KServe's default
    account_secrets: tuple[Json, ...] = ()
    initializer: Json | None = None
    """The container that KServe copies with: of a ClusterStorageContainer, or made from KServe's ConfigMap."""
    denied: frozenset[tuple[str, str]] = frozenset()
    """(verb, resource) that the API server says we may not do."""
    loaders: tuple[Json, ...] = ()
    """Jobs, or Pods for a folder, of earlier runs; each with its `kind`."""
