"""The one place where the parts are put together. Nothing is connected at import: workers fork first."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from functions.adapters.cluster import Cluster
from functions.adapters.command_log import CommandLog
from functions.adapters.consents import Consents
from functions.adapters.delivery import Deliveries
from functions.adapters.identity import ClusterAccess
from functions.adapters.kserve.accelerators import add_accelerators
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.installations import Installations
from functions.adapters.kserve.notes import Notes
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import Resources
from functions.adapters.no_cluster import NoCluster
from functions.adapters.probe import Probe, line_for
from functions.adapters.selected_cluster import SelectedCluster
from functions.adapters.signature import Signer
from functions.adapters.sink import Sink
from functions.adapters.store import Store
from functions.command_order import Queues
from functions.lifecycle.scene import Limits
from functions.line import Line
from functions.logs import logger
from functions.reconciler import Reconciler
from functions.settings import Settings


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Parts:
    """What handlers and the API work with."""

    settings: Settings
    limits: Limits
    cluster: Cluster
    resources: Resources
    observer: Observer
    grace: Grace
    installations: Installations
    probe: Probe
    store: Store
    sink: Sink
    signer: Signer
    deliveries: Deliveries
    consents: Consents
    reconciler: Reconciler
    line: Line
    commands: CommandLog
    order: Queues

    @classmethod
    async def connect(cls, settings: Settings, *, cluster_used: bool = True) -> Self:
        """Raises ClusterUnavailable where no cluster is configured; a Redis that is away shows at its first use.

        `cluster_used` False: for what sends the API server no request, and so runs without an account's token.
        """
        add_accelerators(settings.accelerator_resources.split(","))
        cluster = await _cluster(settings) if cluster_used else NoCluster()
        resources = Resources(cluster)
        grace = Grace(cluster, settings.installation)
        probe = Probe(line_for(settings.probe, cluster))
        notes = Notes(settings.signing_keys)
        observer = Observer(cluster, resources, grace, probe, now, notes=notes)
        store = Store.connect(settings.redis_url)
        signer = Signer(settings.delivery_keys)
        limits = Limits(start_deadline=settings.start_deadline)
        sink = Sink(settings.k_sink, store, signer, settings.k_ca_certs)
        commands = CommandLog(cluster)
        reconciler = Reconciler(
            cluster, resources, observer, grace, store, limits=limits, notes=notes, commands=commands
        )
        return cls(
            settings=settings,
            limits=limits,
            cluster=cluster,
            resources=resources,
            observer=observer,
            grace=grace,
            installations=Installations(cluster, settings.installation),
            probe=probe,
            store=store,
            sink=sink,
            signer=signer,
            consents=Consents(cluster),
            deliveries=_deliveries(settings, cluster),
            reconciler=reconciler,
            line=Line(reconciler, sink.flush),
            commands=commands,
            order=Queues(),
        )

    async def close(self) -> None:
        """Each of them, whatever becomes of the others."""
        for part in (self.line, self.commands, self.sink, self.probe, self.store, self.cluster):
            try:
                await part.close()
            except Exception:  # noqa: BLE001 - whatever a connection that is broken raises
                logger().exception("not closed", action="not-closed", part=type(part).__name__)


async def _cluster(settings: Settings) -> Cluster:
    if not settings.namespace_selector:
        return await Cluster.connect()
    cluster = await SelectedCluster.connect()
    cluster.select(settings.namespace_selector)
    return cluster


def _deliveries(settings: Settings, cluster: Cluster) -> Deliveries:
    """Without a cluster no token can be reviewed: there the delivery secret counts."""
    audience = None if isinstance(cluster, NoCluster) else settings.delivery_audience
    tokens = ClusterAccess(cluster, (audience,)) if audience else None
    return Deliveries(settings.delivery_keys, settings.direct_keys, tokens, settings.delivery_senders)
