"""One look at a model: its object and its pods, and for a command what stands in the way."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from events.commands import Verb
from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.cluster import Cluster, Json, Missing, NotAnObject
from functions.adapters.kserve.activity import Activity
from functions.adapters.kserve.blockers import find_blockers
from functions.adapters.kserve.device_claims import DeviceClaims
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.graph import members_of
from functions.adapters.kserve.handover import Handovers, leaving
from functions.adapters.kserve.kueue import Kueue
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.notes import Notes
from functions.adapters.kserve.observations import PodList, observe_object, servers_of, with_answers
from functions.adapters.kserve.pod_events import PodEvents
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.portions import portions
from functions.adapters.kserve.quota import find_shortages
from functions.adapters.kserve.resources import Resources, kind_selector, owner_of, pod_selector, pods
from functions.adapters.kserve.runtimes import Runtimes
from functions.adapters.kserve.scaling import Scaling
from functions.adapters.kserve.schema import MOST_PODS
from functions.adapters.kserve.served import Server
from functions.adapters.kserve.smoke_tests import SmokeTests
from functions.adapters.kserve.volume_claims import narrow_claims
from functions.adapters.probe import Probe
from functions.lifecycle.derive import derive
from functions.lifecycle.errors import ClusterUnavailable, StepError
from functions.lifecycle.observation import Blocker, Member, NarrowClaim, Observation, Pin, QuotaShortage
from functions.lifecycle.reasons import Reason
from functions.lifecycle.record import Record
from functions.lifecycle.scene import Limits, is_late
from functions.lifecycle.smoke_test import takes_smoke_test, without_smoke_test
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION
from functions.object_errors import Stage, count, one_object

_HINDERED = frozenset({"stop", "reload"})
_MEMBERS_AT_ONCE = 16
_PAGES_AT_ONCE = 3
_PAGE_SECONDS = 5.0  # for the answers of its pods, hundreds of them


@dataclass(frozen=True)
class Page:
    """Observations of one page of models; `next` continues the list, "" at its end.

    `met` are all models of the page: one that could not be observed beside the others needs a look of its own.
    """

    observations: tuple[Observation, ...]
    next: str
    met: tuple[ModelRef, ...] = ()


class Observer:
    """`notes` None: whether notes are signed is not looked at; for callers that record no actor."""

    def __init__(
        self,
        cluster: Cluster,
        resources: Resources,
        grace: Grace,
        probe: Probe,
        clock: Callable[[], datetime],
        *,
        notes: Notes | None = None,
    ) -> None:
        self._cluster = cluster
        self._resources = resources
        self._grace = grace
        self._probe = probe
        self._smoke_tests = SmokeTests(cluster, probe.line)
        self._handovers = Handovers(cluster)
        self._activity = Activity(cluster, resources, clock)
        self._scaling = Scaling(cluster)
        self._kueue = Kueue(cluster)
        self._events = PodEvents(cluster)
        self._claims = DeviceClaims(cluster)
        self._clock = clock
        self._notes = notes

    async def observe(
        self, ref: ModelRef, *, verb: Verb | None = None, pinned: bool = False, predict: tuple[str, ...] = ()
    ) -> Observation:
        """The options of `Ports.observe`."""
        item, listed = await asyncio.gather(
            self._object(ref),
            self._cluster.get(pods(ref.namespace), labelSelector=pod_selector(ref)),
        )
        if item is None:
            pins = await self._grace.pins_of(ref) if pinned else ()
            left = leaving(PodList.read(ref, listed).pods)
            return Observation(ref, self._clock(), exists=False, pins=pins, pods=left)
        model, found = Model(ref.kind, item), PodList.read(ref, listed)
        seen = self._read(ref, model, found, self._clock())
        if seen.stop_wanted and not seen.pods:
            # The pods may have been listed before the object was read: "no pod is left" must hold after it.
            listed = await self._cluster.get(pods(ref.namespace), labelSelector=pod_selector(ref))
            found = PodList.read(ref, listed)
            seen = self._read(ref, model, found, self._clock())
        seen = await self._beside(seen, model, found, causes=verb != "stop")
        if verb != "stop":
            answers = await self._probe.ask(list(servers_of(model, seen, found)))
            seen = replace(with_answers(seen, answers), members=(await self._members(model))[0] or ())
        if predict:
            seen = await self._with_predictions(seen, model, found, predict)
        return replace(
            seen,
            pins=await self._pins(seen, pinned=pinned),
            blockers=await self._blockers(model, Runtimes(self._cluster), seen) if verb in _HINDERED else (),
            shortages=await self._shortages(model, seen) if verb == "start" else (),
            narrow_claims=await self._narrow_claims(seen, found) if verb == "reload" else (),
            wanted=await self._handovers.wanted(seen) if verb is None else {},
        )

    def _read(self, ref: ModelRef, model: Model, found: PodList, now: datetime) -> Observation:
        seen = observe_object(ref, model, found, now)
        if seen.stop_note is None or self._notes is None:
            return seen
        text = (model.annotations or {}).get(STOP_NOTE_ANNOTATION)
        return replace(seen, stop_note=self._notes.verified(seen.stop_note, text, ref, seen.uid))

    async def _explained(self, seen: Observation, found: PodList) -> Observation:
        """Pods that do not come up, with what only others than the pods themselves tell of the cause."""
        return await self._events.with_causes(await self._kueue.with_positions(seen, found.readable), found.readable)

    async def _with_movements(self, seen: Observation, model: Model) -> Observation:
        """What others did that the model waits for: KServe with other models, a scaler with its Deployment."""
        late = await self._activity.beside(seen.ref) if is_late(seen) else None
        return replace(seen, others_moved=late, scaled_down=await self._scaling.scaled_down(seen, model))

    async def _beside(self, seen: Observation, model: Model, found: PodList, *, causes: bool = True) -> Observation:
        """With what other objects than the model and its pods tell; without it where one of them can't be read.

        `causes` False: why its pods do not come up is not asked, which a stop need not know.
        """
        try:
            whole = await self._claims.with_devices(seen, found.readable)
            if causes:
                whole = await self._explained(whole, found)
            return await self._with_movements(whole, model)
        except Exception as error:
            if isinstance(error, ClusterUnavailable) and not isinstance(error, NotAnObject):
                raise
            count(Stage.MODEL, seen.ref.subject, error)
            return seen

    async def leaving(self) -> list[ModelRef]:
        """Models with a pod that is out of its Service: if the model is gone too, nothing else deletes the pod."""
        return await self._handovers.models_left()

    async def observe_many(self, refs: Collection[ModelRef]) -> dict[ModelRef, Observation]:
        """Looks for a stop of many models of one kind and namespace: two lists, however many. A model that is not
        found, or whose stop in progress has another grace, is left out: it needs a look of its own.
        """
        first = next(iter(refs))
        listed, by_model = await asyncio.gather(
            self._cluster.list_all(await self._resources.collection(first.kind, first.namespace)),
            self._pods_by_model(first.kind, first.namespace),
        )
        runtimes, now = Runtimes(self._cluster), self._clock()
        found: dict[ModelRef, Observation] = {}
        for ref, item in _named(first.kind, listed):
            with one_object(Stage.MODEL, ref.subject):
                model = Model(first.kind, item)
                if ref not in refs or model.stop_note:
                    continue
                pods_of_it = PodList.read(ref, by_model(ref))
                seen = self._read(ref, model, pods_of_it, now)
                seen = await self._claims.with_devices(seen, pods_of_it.readable)
                found[ref] = replace(seen, blockers=await self._blockers(model, runtimes, seen))
        return found

    async def pages(self, kind: Kind, token: str, more: Callable[[], bool]) -> AsyncGenerator[Page]:
        """All models of a kind from `token` on, in order; one empty page without the CRD. Begins none once `more` says no.

        A few are looked at side by side: a page waits for those of its pods that do not answer.
        """
        in_flight: deque[asyncio.Future[Page]] = deque()
        ended = False
        try:
            while True:
                while not ended and len(in_flight) < _PAGES_AT_ONCE and more():
                    items, token = await self._objects(kind, token)
                    in_flight.append(asyncio.ensure_future(self._page(kind, items, token)))
                    ended = not token
                if not in_flight:
                    return
                yield await in_flight.popleft()
        finally:
            for page in in_flight:
                page.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)

    async def find(self, name: str, kind: Kind) -> list[ModelRef]:
        """Every namespace's model of that name.

        The API server's memory is asked first (resourceVersion 0), since for its latest state it may read every model
        from etcd; that only where nothing was found, as what is not in its memory may be too new for it.
        """
        only = f"metadata.name={name}"
        try:
            collection = await self._resources.collection(kind)
            listed = await self._cluster.get(collection, fieldSelector=only, resourceVersion="0")
            items = listed.get("items") or await self._cluster.list_all(collection, fieldSelector=only)
        except Missing:
            return []
        return [ref for ref, _ in _named(kind, items)]

    async def _with_predictions(
        self, seen: Observation, model: Model, found: PodList, wanted: Collection[str]
    ) -> Observation:
        answers = {pod.uid: pod.answer for pod in seen.pods if pod.uid in wanted and takes_smoke_test(pod)}
        servers = [server for server in servers_of(model, seen, found) if server.pod_uid in answers]
        told = await self._smoke_tests.ask(model.metadata, [(server, answers[server.pod_uid]) for server in servers])
        return replace(seen, pods=tuple(replace(pod, prediction=told.get(pod.uid)) for pod in seen.pods))

    async def _blockers(self, model: Model, runtimes: Runtimes, seen: Observation) -> tuple[Blocker, ...]:
        """None where they can't be read off the object: it must be possible to stop what is broken."""
        try:
            return await find_blockers(model, runtimes, self._resources, has_pods=bool(seen.pods))
        except StepError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a tenant wrote into an object
            count(Stage.MODEL, name_of(model.object), error)
            return ()

    async def _objects(self, kind: Kind, token: str) -> tuple[list[Json], str]:
        """A page of them, and the token that continues the list, "" at its end."""
        try:
            listed = await self._cluster.page(await self._resources.collection(kind), token)
        except Missing:
            return [], ""
        return listed.get("items") or [], (listed.get("metadata") or {}).get("continue") or ""

    async def _page(self, kind: Kind, items: list[Json], token: str) -> Page:
        """Pods are listed after the objects: "no pod is left" must hold after the stop was read."""
        named = dict(_named(kind, items))
        try:
            found = await asyncio.gather(
                *(self._observe_all(kind, place, some) for place, some in portions(list(named.values())))
            )
        except StepError:
            raise
        except Exception as error:  # noqa: BLE001 - then each model of it gets a look of its own, and the pass goes on
            count(Stage.RESYNC, f"a page of {kind.plural}", error)
            found = []
        return Page(tuple(seen for portion in found for seen in portion), token, tuple(named))

    async def _object(self, ref: ModelRef) -> Json | None:
        """None: there is none. An answer that is no object is read as one that has nothing in it."""
        try:
            return await self._cluster.get(await self._resources.model(ref))
        except Missing:
            return None
        except NotAnObject as error:
            count(Stage.MODEL, ref.subject, error)
            return {}

    async def _pins(self, seen: Observation, *, pinned: bool) -> tuple[Pin, ...]:
        """Pins are looked for while a stop with another grace is in progress; the tick finds what a crash left."""
        if pinned or (seen.stop_note and seen.stop_note.grace is not None):
            return await self._grace.pins_of(seen.ref)
        return ()

    async def _narrow_claims(self, seen: Observation, found: PodList) -> tuple[NarrowClaim, ...]:
        """Of the pods that a reload replaces."""
        replaced = [pod.uid for pod in seen.pods if pod.serves and not pod.deleting and not pod.finished]
        objects = [found.readable[uid] for uid in replaced if uid in found.readable]
        return await narrow_claims(self._cluster, seen.ref.namespace, objects)

    async def _shortages(self, model: Model, seen: Observation) -> tuple[QuotaShortage, ...]:
        if not seen.stop_wanted:
            return ()
        quotas = await self._cluster.list_all(f"/api/v1/namespaces/{seen.ref.namespace}/resourcequotas")
        return find_shortages(model, seen.stop_note, quotas)

    async def _observe_all(self, kind: Kind, namespace: str | None, items: list[Json]) -> list[Observation]:
        """What can't be observed at all is left out: it is counted, and keeps none of the others from it."""
        named = _named(kind, items)
        by_model = await self._pods_by_model(kind, namespace, sorted({ref.name for ref, _ in named}))
        now = self._clock()
        models: dict[ModelRef, Model] = {}
        lists: dict[ModelRef, PodList] = {}
        looks: dict[ModelRef, Observation] = {}
        servers: list[Server] = []
        for ref, item in named:
            with one_object(Stage.MODEL, ref.subject):
                model, found = Model(kind, item), PodList.read(ref, by_model(ref))
                seen = self._read(ref, model, found, now)
                servers += servers_of(model, seen, found)
                models[ref], looks[ref], lists[ref] = model, seen, found
        explained = await asyncio.gather(*(self._beside(looks[ref], models[ref], lists[ref]) for ref in looks))
        answers = await self._probe.ask(servers, within=_PAGE_SECONDS)
        members = await self._members(*models.values(), within=_PAGE_SECONDS)
        return [
            replace(with_answers(seen, answers), members=named_by_it)
            for seen, named_by_it in zip(explained, members, strict=True)
            if named_by_it is not None
        ]

    async def _members(self, *models: Model, within: float | None = None) -> list[tuple[Member, ...] | None]:
        """For each, the models of its namespace that it sends requests to, looked at once however many graphs share one.

        What a graph reaches by URL is not ours to ask. None where not all could be looked at `within` so many seconds.
        """
        turns = asyncio.Semaphore(_MEMBERS_AT_ONCE)

        async def look(ref: ModelRef) -> Member:
            async with turns:
                try:
                    return _member(await self.observe(ref))
                except StepError:
                    raise
                except Exception as error:  # noqa: BLE001 - a member is a tenant's object too
                    count(Stage.MODEL, ref.subject, error)
                    return Member(ref, State.ERROR, "it can't be read")

        named = [members_of(model) for model in models]
        refs = dict.fromkeys(ref for members in named for ref in members)
        looks = {ref: asyncio.ensure_future(look(ref)) for ref in refs}
        try:
            if looks:
                await asyncio.wait(looks.values(), timeout=within)
            found = {ref: one.result() for ref, one in looks.items() if one.done()}
        finally:
            for one in looks.values():
                one.cancel()
            await asyncio.gather(*looks.values(), return_exceptions=True)
        return [tuple(found[ref] for ref in members) if found.keys() >= set(members) else None for members in named]

    async def _pods_by_model(
        self, kind: Kind, namespace: str | None, names: Iterable[str] = ()
    ) -> Callable[[ModelRef], Json]:
        """The list of each model's pods. `names` () means every model of the kind."""
        by_model: dict[str, list[Json]] = defaultdict(list)
        version: Json = {}
        selector = kind_selector(kind, names)
        async for page in self._cluster.pages(pods(namespace), labelSelector=selector):
            version = version or page.get("metadata") or {}
            for item in page.get("items") or []:
                with one_object(Stage.POD, name_of(item)):
                    ref = owner_of(item["metadata"].get("labels") or {}, item["metadata"]["namespace"])
                    if ref and len(by_model[ref.subject]) <= MOST_PODS:
                        by_model[ref.subject].append(item)
        return lambda ref: {"metadata": version, "items": by_model.get(ref.subject, [])}


def _member(seen: Observation) -> Member:
    if not seen.exists:
        return Member(seen.ref, State.ERROR, "there is no such model")
    verdict = derive(without_smoke_test(seen), Record(ref=seen.ref), Limits())
    return Member(seen.ref, verdict.state, verdict.what, unverified=verdict.reason == Reason.UNVERIFIED)


def _named(kind: Kind, items: Iterable[Json]) -> list[tuple[ModelRef, Json]]:
    """Each with the model that it is; what has no name as Kubernetes has them is left out."""
    found: list[tuple[ModelRef, Json]] = []
    for item in items:
        with one_object(Stage.MODEL, name_of(item)):
            metadata = item["metadata"]
            found.append((ModelRef(namespace=metadata["namespace"], name=metadata["name"], kind=kind), item))
    return found
