"""The one place where the parts are put together. Nothing is connected at import: workers fork first."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from functions.adapters.cluster import Cluster
from functions.adapters.consents import Consents
from functions.adapters.delivery import Deliveries
from functions.adapters.identity import ClusterAccess
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.lookout import Lookout
from functions.adapters.kserve.notes import Notes
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe, line_for
from functions.adapters.signature import Signer
from functions.adapters.sink import Sink
from functions.adapters.store import Store
from functions.interpreter import Interpreter
from functions.lifecycle.derive import Limits
from functions.line import Line
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
    lookout: Lookout
    grace: Grace
    probe: Probe
    store: Store
    sink: Sink
    signer: Signer
    deliveries: Deliveries
    consents: Consents
    interpreter: Interpreter
    line: Line

    @classmethod
    async def connect(cls, settings: Settings) -> Self:
        """Raises ClusterUnavailable where no cluster is configured; a Redis that is away shows at its first use."""
        cluster = await Cluster.connect()
        resources = Resources(cluster)
        grace = Grace(cluster)
        probe = Probe(line_for(settings.probe, cluster))
        notes = Notes(settings.signing_keys)
        lookout = Lookout(cluster, resources, grace, probe, now, notes=notes)
        store = Store.connect(settings.redis_url)
        signer = Signer(settings.delivery_keys)
        limits = Limits(start_deadline=settings.start_deadline)
        sink = Sink(settings.k_sink, store, signer, settings.k_ca_certs)
        interpreter = Interpreter(cluster, resources, lookout, grace, store, notes=notes)
        return cls(
            settings=settings,
            limits=limits,
            cluster=cluster,
            resources=resources,
            lookout=lookout,
            grace=grace,
            probe=probe,
            store=store,
            sink=sink,
            signer=signer,
            consents=Consents(cluster),
            deliveries=_deliveries(settings, cluster),
            interpreter=interpreter,
            line=Line(interpreter, limits, sink.flush),
        )

    async def close(self) -> None:
        await self.line.close()
        await self.sink.close()
        await self.probe.close()
        await self.store.close()
        await self.cluster.close()


def _deliveries(settings: Settings, cluster: Cluster) -> Deliveries:
    audience = settings.delivery_audience
    tokens = ClusterAccess(cluster, audience) if audience else None
    return Deliveries(settings.delivery_keys, settings.direct_keys, tokens, settings.delivery_senders)
