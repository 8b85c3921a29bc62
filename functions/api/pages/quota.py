"""What namespaces are allowed, and what models wait for: read from the cluster, of every namespace at once."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from functions.adapters.kserve.accelerators import is_accelerator
from functions.adapters.kserve.pods import name_of, read_pod
from functions.adapters.kserve.quota import Quota
from functions.adapters.kserve.resources import owner_of
from functions.api.context import Api
from functions.api.visibility import Sight
from functions.object_errors import Stage, one_object

_MEMORY = ("requests.memory", "memory")


@dataclass(frozen=True)
class Allowed:
    """The tightest quota of a namespace, by amount. None: nothing limits it. Memory in bytes."""

    gpus: int | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Waiting:
    pods: int = 0
    gpus: int = 0
    memory: int = 0


async def allowed_by_namespace(api: Api) -> dict[str, Allowed]:
    """Quotas with scopes are for some pods only and are left out. Raises as Cluster.list_all."""
    found: dict[str, list[Allowed]] = defaultdict(list)
    for item in await api.parts.cluster.list_all("/api/v1/resourcequotas"):
        with one_object(Stage.QUOTA, name_of(item)):
            quota = Quota.read(item)
            if not quota.scoped:
                found[quota.namespace].append(_read(quota.hard))
    return {
        namespace: Allowed(
            min((one.gpus for one in all_of_it if one.gpus is not None), default=None),
            min((one.memory for one in all_of_it if one.memory is not None), default=None),
        )
        for namespace, all_of_it in found.items()
    }


def _read(hard: Mapping[str, Decimal]) -> Allowed:
    gpus = [amount for name, amount in hard.items() if is_accelerator(name.removeprefix("requests."))]
    memory = [hard[name] for name in _MEMORY if name in hard]
    return Allowed(_whole(gpus), _whole(memory))


def _whole(amounts: list[Decimal]) -> int | None:
    return int(min(amounts)) if amounts else None


async def waiting_by_namespace(api: Api, sight: Sight) -> dict[str, Waiting]:
    """Pods of visible models that no node has room for yet. Raises as Cluster.list_all."""
    found: dict[str, Waiting] = defaultdict(Waiting)
    for item in await api.parts.cluster.list_all("/api/v1/pods", fieldSelector="status.phase=Pending"):
        with one_object(Stage.POD, name_of(item)):
            namespace = item["metadata"]["namespace"]
            ref = owner_of(item["metadata"].get("labels") or {}, namespace)
            if ref is None or not sight.sees(ref):
                continue
            pod = read_pod(item)
            if not (pod.node or pod.deleting):
                before = found[namespace]
                found[namespace] = Waiting(before.pods + 1, before.gpus + pod.gpus, before.memory + pod.memory)
    return found
