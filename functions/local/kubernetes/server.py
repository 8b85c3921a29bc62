"""Puts the parts together (store, controllers, HTTP) and serves them on a loopback address."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn
import yaml

from functions.local.kubernetes.app import Api
from functions.local.kubernetes.deployments import Deployments
from functions.local.kubernetes.garbage import GarbageCollector
from functions.local.kubernetes.identities import Identities, Identity
from functions.local.kubernetes.kubelet import Kubelet, Pace
from functions.local.kubernetes.namespaces import Namespaces
from functions.local.kubernetes.nodes import install
from functions.local.kubernetes.objects import Objects
from functions.local.kubernetes.quotas import Quotas
from functions.local.kubernetes.reconciler import Reconciler
from functions.local.kubernetes.replicasets import ReplicaSets
from functions.local.kubernetes.scheduler import Scheduler
from functions.local.kubernetes.statefulsets import StatefulSets
from functions.local.kubernetes.store import Store

IDLE_SECONDS = 90
"""How long a connection may be idle before it is closed, as the real API server has it."""


@dataclass(frozen=True)
class Settings:
    """What the simulated cluster is like. `gpus`, `cpu` and `memory` are per node; `port` 0 takes a free one."""

    port: int = 0
    host: str = "127.0.0.1"
    nodes: int = 1
    gpus: int = 4
    cpu: str = "32"
    memory: str = "256Gi"
    pace: Pace = field(default_factory=Pace)
    tokens: Mapping[str, Identity] = field(default_factory=dict)
    anonymous: bool = True
    workloads: bool = True
    """False: an API server alone, where nothing turns Deployments into pods."""


@dataclass(frozen=True)
class Cluster:
    """A simulated cluster that is not served yet."""

    api: Api
    controllers: tuple[Reconciler, ...]


def build(settings: Settings) -> Cluster:
    """Everything wired, nodes and namespaces in place. Needs a running event loop."""
    objects = Objects(Store())
    quotas = Quotas(objects)
    objects.admissions.append(quotas.admit)
    controllers: list[Reconciler] = [quotas, Namespaces(objects), GarbageCollector(objects)]
    if settings.workloads:
        controllers += [Deployments(objects), ReplicaSets(objects), StatefulSets(objects), Scheduler(objects)]
        controllers.append(Kubelet(objects, settings.pace))
    install(objects, nodes=settings.nodes, gpus=settings.gpus, cpu=settings.cpu, memory=settings.memory)
    return Cluster(Api(objects, Identities(settings.tokens, settings.anonymous)), tuple(controllers))


class _Server(uvicorn.Server):
    """Ends its open watches when told to stop (they would keep it waiting) and then ends with success."""

    def __init__(self, config: uvicorn.Config, api: Api) -> None:
        super().__init__(config)
        self._api = api

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        self._api.watches.drop()
        self.force_exit = self.should_exit
        self.should_exit = True


async def serve(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve until a signal; `listening` gets the URL. Raises OSError for a port that is taken."""
    bound = socket.create_server((settings.host, settings.port), backlog=1024)
    # asyncio sets this only on sockets that it makes itself; without it each answer waits 40 ms for an ACK.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    cluster = build(settings)
    config = uvicorn.Config(
        cluster.api.app(),
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        timeout_keep_alive=IDLE_SECONDS,
    )
    tasks = [asyncio.create_task(controller.run()) for controller in cluster.controllers]
    listening(f"http://{settings.host}:{bound.getsockname()[1]}")
    try:
        await _Server(config, cluster.api).serve(sockets=[bound])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def write_kubeconfig(path: Path, url: str, token: str = "") -> None:
    """A kubeconfig for the official clients and `kubectl`; a waiting reader never finds a part of it."""
    user = {"token": token} if token else {}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "laptop", "cluster": {"server": url}}],
        "users": [{"name": "laptop", "user": user}],
        "contexts": [{"name": "laptop", "context": {"cluster": "laptop", "user": "laptop"}}],
        "current-context": "laptop",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(yaml.safe_dump(config, sort_keys=False))
    unfinished.replace(path)
