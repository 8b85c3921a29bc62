"""One look at a model: its object and its pods, and for a command what stands in the way."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from events.model import Kind, ModelRef, is_name
from events.status import State
from functions.adapters.cluster import Cluster, Json, Missing
from functions.adapters.kserve.artifacts import artifacts_of, bucketless
from functions.adapters.kserve.canaries import Canaries
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.handover import Handovers, leaving
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.notes import Notes
from functions.adapters.kserve.obstacles import find_obstacles
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.portions import portions
from functions.adapters.kserve.quota import find_shortages
from functions.adapters.kserve.resources import Resources, as_number, kind_selector, owner_of, pod_selector, pods
from functions.adapters.kserve.runtimes import Runtimes
from functions.adapters.kserve.served import Server, holds_model, server_of
from functions.adapters.probe import Probe
from functions.lifecycle.canary import takes_canary, without_canary
from functions.lifecycle.companion import COMPANION_ANNOTATION
from functions.lifecycle.derive import Limits, derive
from functions.lifecycle.effects import Look
from functions.lifecycle.observation import (
    AUTOSCALER_ANNOTATION,
    Answer,
    Member,
    Observation,
    Obstacle,
    Pin,
    PodAnswer,
    QuotaShortage,
)
from functions.lifecycle.record import Record

_HINDERED = frozenset({"stop", "reload"})
_MEMBERS_AT_ONCE = 16
_PAGES_AT_ONCE = 3
_PAGE_SECONDS = 5.0  # for the answers of its pods, hundreds of them


@dataclass(frozen=True)
class Page:
    """Observations of one page of models; `next` continues the list, "" at its end."""

    observations: tuple[Observation, ...]
    next: str


class Lookout:
    """`notes` None: whether notes are signed is not looked at; for what records nobody."""

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
        self._canaries = Canaries(cluster, probe.line)
        self._handovers = Handovers(cluster)
        self._clock = clock
        self._notes = notes

    async def look(self, ask: Look) -> Observation:
        ref = ask.ref
        item, listed = await asyncio.gather(
            self._object(ref),
            self._cluster.get(pods(ref.namespace), labelSelector=pod_selector(ref)),
        )
        if item is None:
            pins = await self._grace.pins_of(ref) if ask.pinned else ()
            left = leaving(listed.get("items") or [])
            return Observation(ref, self._clock(), exists=False, pins=pins, pods=left)
        model = Model(ref.kind, item)
        seen = self._read(ref, model, listed, self._clock())
        if seen.stop_wanted and not seen.pods:
            # The pods may have been listed before the object was read: "no pod is left" must hold after it.
            listed = await self._cluster.get(pods(ref.namespace), labelSelector=pod_selector(ref))
            seen = self._read(ref, model, listed, self._clock())
        if ask.verb != "stop":
            answers = await self._probe.ask(list(servers_of(model, seen, listed)))
            seen = replace(with_answers(seen, answers), members=(await self._members(model))[0])
        if ask.predict:
            seen = await self._with_predictions(seen, model, listed, ask.predict)
        return replace(
            seen,
            pins=await self._pins(ask, seen),
            obstacles=await self._obstacles(model, Runtimes(self._cluster)) if ask.verb in _HINDERED else (),
            shortages=await self._shortages(model, seen) if ask.verb == "start" else (),
            wanted=await self._handovers.wanted(seen) if ask.verb is None else {},
        )

    def _read(self, ref: ModelRef, model: Model, listed: Json, now: datetime) -> Observation:
        seen = read_observation(ref, model, listed, now)
        if seen.companion is None or self._notes is None:
            return seen
        text = (model.annotations or {}).get(COMPANION_ANNOTATION)
        return replace(seen, companion=self._notes.verified(seen.companion, text, ref, seen.uid))

    async def leaving(self) -> list[ModelRef]:
        """Models with a pod that is out of its Service: where the model is gone too, nobody else ends it."""
        return await self._handovers.models_left()

    async def look_at_many(self, refs: Collection[ModelRef]) -> dict[ModelRef, Observation]:
        """Looks for a stop of many models of one kind and namespace: two lists, however many. What is not there, and
        what has a stop under way with another grace, is left out: it needs a look of its own.
        """
        first = next(iter(refs))
        listed, (by_model, version) = await asyncio.gather(
            self._cluster.list_all(await self._resources.collection(first.kind, first.namespace)),
            self._pods_by_model(first.kind, first.namespace),
        )
        runtimes, now = Runtimes(self._cluster), self._clock()
        found: dict[ModelRef, Observation] = {}
        for item in listed:
            ref, model = _ref(first.kind, item), Model(first.kind, item)
            if ref not in refs or model.companion:
                continue
            seen = self._read(ref, model, {"metadata": version, "items": by_model[ref.subject]}, now)
            found[ref] = replace(seen, obstacles=await self._obstacles(model, runtimes))
        return found

    async def pages(self, kind: Kind, token: str, more: Callable[[], bool]) -> AsyncGenerator[Page]:
        """All models of a kind from `token` on, in order; one empty page without the CRD. Begins none once `more` says no.

        A few are looked at side by side: a page waits for those of its pods that do not answer.
        """
        under_way: deque[asyncio.Future[Page]] = deque()
        ended = False
        try:
            while True:
                while not ended and len(under_way) < _PAGES_AT_ONCE and more():
                    items, token = await self._objects(kind, token)
                    under_way.append(asyncio.ensure_future(self._page(kind, items, token)))
                    ended = not token
                if not under_way:
                    return
                yield await under_way.popleft()
        finally:
            for page in under_way:
                page.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

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
        return [_ref(kind, item) for item in items]

    async def _with_predictions(
        self, seen: Observation, model: Model, listed: Json, wanted: Collection[str]
    ) -> Observation:
        answers = {pod.uid: pod.answer for pod in seen.pods if pod.uid in wanted and takes_canary(pod)}
        servers = [server for server in servers_of(model, seen, listed) if server.pod_uid in answers]
        found = await self._canaries.ask(model.metadata, [(server, answers[server.pod_uid]) for server in servers])
        return replace(seen, pods=tuple(replace(pod, prediction=found.get(pod.uid)) for pod in seen.pods))

    async def _obstacles(self, model: Model, runtimes: Runtimes) -> tuple[Obstacle, ...]:
        return await find_obstacles(model, runtimes, self._resources)

    async def _objects(self, kind: Kind, token: str) -> tuple[list[Json], str]:
        """A page of them, and the token that continues the list, "" at its end."""
        try:
            listed = await self._cluster.page(await self._resources.collection(kind), token)
        except Missing:
            return [], ""
        return listed.get("items") or [], (listed.get("metadata") or {}).get("continue") or ""

    async def _page(self, kind: Kind, items: list[Json], token: str) -> Page:
        """Pods are listed after the objects: "no pod is left" must hold after the stop was read."""
        found = await asyncio.gather(*(self._observe_all(kind, place, some) for place, some in portions(items)))
        return Page(tuple(seen for portion in found for seen in portion), token)

    async def _object(self, ref: ModelRef) -> Json | None:
        try:
            return await self._cluster.get(await self._resources.model(ref))
        except Missing:
            return None

    async def _pins(self, ask: Look, seen: Observation) -> tuple[Pin, ...]:
        """Pins are looked for where a stop with another grace is under way; the tick finds what a crash left."""
        if ask.pinned or (seen.companion and seen.companion.grace is not None):
            return await self._grace.pins_of(ask.ref)
        return ()

    async def _shortages(self, model: Model, seen: Observation) -> tuple[QuotaShortage, ...]:
        if not seen.stop_wanted:
            return ()
        quotas = await self._cluster.list_all(f"/api/v1/namespaces/{seen.ref.namespace}/resourcequotas")
        return find_shortages(model, seen.companion, quotas)

    async def _observe_all(self, kind: Kind, namespace: str | None, items: list[Json]) -> list[Observation]:
        names = sorted({item["metadata"]["name"] for item in items})
        by_model, version = await self._pods_by_model(kind, namespace, names)
        now = self._clock()
        models = {_ref(kind, item): Model(kind, item) for item in items}
        lists = {ref: {"metadata": version, "items": by_model[ref.subject]} for ref in models}
        looks = {ref: self._read(ref, model, lists[ref], now) for ref, model in models.items()}
        servers = [server for ref, model in models.items() for server in servers_of(model, looks[ref], lists[ref])]
        answers = await self._probe.ask(servers, within=_PAGE_SECONDS)
        members = await self._members(*models.values())
        return [
            replace(with_answers(seen, answers), members=found)
            for seen, found in zip(looks.values(), members, strict=True)
        ]

    async def _members(self, *models: Model) -> list[tuple[Member, ...]]:
        """For each, the models of its namespace that it sends requests to, looked at once however many graphs share one.

        What a graph reaches by URL is not ours to ask.
        """
        turns = asyncio.Semaphore(_MEMBERS_AT_ONCE)

        async def look(ref: ModelRef) -> Member:
            async with turns:
                return _member(await self.look(Look(ref)))

        named = [members_of(model) for model in models]
        refs = list(dict.fromkeys(ref for members in named for ref in members))
        found = dict(zip(refs, await asyncio.gather(*map(look, refs)), strict=True))
        return [tuple(found[ref] for ref in members) for members in named]

    async def _pods_by_model(
        self, kind: Kind, namespace: str | None, names: Iterable[str] = ()
    ) -> tuple[dict[str, list[Json]], Json]:
        """`names` () means every model of the kind."""
        by_model: dict[str, list[Json]] = defaultdict(list)
        version: Json = {}
        selector = kind_selector(kind, names)
        async for page in self._cluster.pages(pods(namespace), labelSelector=selector):
            version = version or {"resourceVersion": page["metadata"].get("resourceVersion", "0")}
            for item in page.get("items") or []:
                ref = owner_of(item["metadata"].get("labels") or {}, item["metadata"]["namespace"])
                if ref:
                    by_model[ref.subject].append(item)
        return by_model, version


def members_of(model: Model) -> tuple[ModelRef, ...]:
    """Models that a graph's steps name, each once, in the order of their names."""
    if model.kind is not Kind.INFERENCE_GRAPH:
        return ()
    nodes = (model.spec.get("nodes") or {}).values()
    names = {step.get("serviceName") for node in nodes for step in node.get("steps") or []} - {None, ""}
    namespace = model.metadata["namespace"]
    return tuple(ModelRef(namespace=namespace, name=name) for name in sorted(names) if is_name(name))


def _member(seen: Observation) -> Member:
    if not seen.exists:
        return Member(seen.ref, State.ERROR, "there is no such model")
    verdict = derive(without_canary(seen), Record(ref=seen.ref), Limits())
    return Member(seen.ref, verdict.state, verdict.what)


def servers_of(model: Model, seen: Observation, listed: Json) -> Iterator[Server]:
    """Whom to ask: the ready pods that hold the model, while it is to run."""
    if seen.stop_wanted or seen.deleting:
        return
    ready = {pod.uid for pod in seen.pods if pod.ready and pod.serves and not pod.deleting}
    for item in listed.get("items") or []:
        if item["metadata"]["uid"] in ready and (server := server_of(model, item)):
            yield server


def with_answers(seen: Observation, answers: Mapping[str, PodAnswer]) -> Observation:
    return replace(seen, pods=tuple(replace(pod, answer=answers.get(pod.uid)) for pod in seen.pods))


def _ref(kind: Kind, item: Json) -> ModelRef:
    return ModelRef(namespace=item["metadata"]["namespace"], name=item["metadata"]["name"], kind=kind)


def read_observation(ref: ModelRef, model: Model, listed: Json, now: datetime) -> Observation:
    """What one object and the list of its pods show."""
    metadata = model.metadata
    ready, stopped = model.ready, model.condition("Stopped")
    items: Iterable[Json] = listed.get("items") or []
    return Observation(
        ref=ref,
        observed_at=now,
        exists=True,
        uid=metadata["uid"],
        version=as_number(metadata.get("resourceVersion")),
        pods_version=as_number((listed.get("metadata") or {}).get("resourceVersion")),
        generation=metadata.get("generation") or 0,
        labels=metadata.get("labels") or {},
        annotations=model.annotations,
        deleting="deletionTimestamp" in metadata,
        mode=model.mode,
        ready=ready.status if ready else Answer.UNKNOWN,
        ready_reason=ready.reason if ready else None,
        ready_changed=ready.changed if ready else None,
        stopped_condition=stopped.status if stopped else None,
        trouble=model.trouble,
        url=model.url,
        companion=model.companion,
        stop_actor=model.stop_actor,
        pods=tuple(replace(read_pod(item), serves=holds_model(ref.kind, item)) for item in items),
        routed=model.routed,
        artifacts=artifacts_of(model, items),
        bucketless=bucketless(model, items),
        recreated=model.recreated,
        autoscaler=(model.annotations or {}).get(AUTOSCALER_ANNOTATION),
        autoscaler_is_ours=model.autoscaler_is_ours,
        may_scale_to_zero=model.may_scale_to_zero,
    )
