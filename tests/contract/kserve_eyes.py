"""Our adapters on the cluster under test, and the words in which their tests speak of a model."""

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.cluster import Cluster
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.handover import Handovers
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe, ProxyLine
from functions.adapters.store import Store
from functions.composition import now
from functions.lifecycle.effects import PatchModel
from functions.lifecycle.request import Request
from functions.lifecycle.scene import Limits
from functions.reconciler import Reconciler

LIMITS = Limits()
POD_LABEL = "serving.kserve.io/inferenceservice"


class Eyes:
    """What our functions see and do, and the store in which they keep it."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self.cluster = cluster
        self.store = store
        self.resources = Resources(cluster)
        self.grace = Grace(cluster)
        self.observer = Observer(cluster, self.resources, self.grace, Probe(ProxyLine(cluster)), now)
        self.reconciler = Reconciler(cluster, self.resources, self.observer, self.grace, store, limits=LIMITS)
        self.handovers = Handovers(cluster)
        self.commands = 0

    async def look(self, ref: ModelRef, verb: str | None = None):
        return await self.observer.observe(ref, verb=verb, pinned=True)

    async def patch(self, patch: PatchModel) -> None:
        await self.cluster.json_patch(await self.resources.model(patch.ref), list(patch.operations))

    async def command(self, ref: ModelRef, command, **changes):
        self.commands += 1
        request = Request(ref, command, "/test", f"{ref} {self.commands}", "oncall", **changes)
        return await self.reconciler.command(request)

    async def state(self, ref: ModelRef) -> State:
        await self.reconciler.notification(ref)
        return (await self.store.load(ref)).record.state


def ref(here, name, kind=Kind.INFERENCE_SERVICE):
    return ModelRef(namespace=here.namespace, name=name, kind=kind)


async def stopped(here, eyes, model, label):
    await here.no_pods(label)

    async def shown():
        return await eyes.state(model) is State.STOPPED

    await here.seen(shown, f"{model} stopped")


async def running(here, eyes, model):
    async def shown():
        return await eyes.state(model) is State.RUNNING

    await here.seen(shown, f"{model} running")
