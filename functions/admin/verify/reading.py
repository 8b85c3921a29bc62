"""One look at the models: their objects, their pods, and what the pods answer. Reads only, and only what a Role may grant."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from events.cli.names import Target
from events.model import Kind, ModelRef
from functions.adapters.cluster import Cluster, Forbidden, Json, Missing
from functions.adapters.conversation import ANSWER_SECONDS, Line
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.notes import Notes, NoteState
from functions.adapters.kserve.observations import PodList, observe_object, servers_of, with_answers
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import Resources, kind_selector, owner_of, pod_selector, pods
from functions.adapters.probe import LOOK_SECONDS, Probe
from functions.admin.verify.prediction import Predictions
from functions.admin.verify.sighting import Sighting
from functions.lifecycle.observation import Answered, Observation, PodAnswer
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION
from functions.lifecycle.verification import is_silent
from functions.object_errors import Stage, one_object

_AT_ONCE = 64
_ROUNDS = 3
Found = TypeVar("Found")


@dataclass(frozen=True)
class Wanted:
    """Which models: those named, or all of a namespace (None: of all). `kinds` () means every kind that may be read."""

    names: tuple[Target, ...] = ()
    namespace: str | None = None
    kind: Kind | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return (self.kind,) if self.kind else tuple(Kind)


def _now() -> datetime:
    return datetime.now(UTC)


class Reader:
    """Looks, and remembers between looks since when a server is silent. `left_out`: kinds that may not be read. `keys`:
    with which stop annotations are signed, where they are known here.
    """

    def __init__(
        self, cluster: Cluster, line: Line | None, predictions: Predictions | None, keys: Sequence[str] = ()
    ) -> None:
        self._cluster = cluster
        self._resources = Resources(cluster)
        self._probe = Probe(line)
        self._observer = Observer(cluster, self._resources, Grace(cluster), self._probe, _now)
        self._predictions = predictions
        self._notes = Notes(keys)
        self._silent: dict[str, datetime] = {}
        self.left_out: set[Kind] = set()

    async def look(self, wanted: Wanted) -> list[Sighting]:
        """In order of their names. Forbidden where no kind may be read, or one that was asked for by name."""
        groups = [self._named(target, wanted) for target in wanted.names] or [self._all(wanted)]
        found = [one for group in await asyncio.gather(*groups) for one in group]
        found = [self._remembered(replace(one, note=self._note(one.seen))) for one in await self._asked(found)]
        if self._predictions:
            predictions = await asyncio.gather(*(self._predictions.of(one) for one in found))
            found = [replace(one, prediction=what) for one, what in zip(found, predictions, strict=True)]
        return sorted(found, key=lambda one: (one.ref.namespace, one.ref.name, one.ref.kind))

    async def _all(self, wanted: Wanted) -> list[Sighting]:
        listed = await self._each_kind(wanted.kinds, lambda kind: self._of_kind(kind, wanted.namespace))
        return [one for found in listed for one in found]

    async def _named(self, target: Target, wanted: Wanted) -> list[Sighting]:
        namespace = target.namespace or wanted.namespace
        if namespace is None:
            raise ValueError(f"{target} has no namespace")
        refs = {kind: ModelRef(namespace=namespace, name=target.name, kind=kind) for kind in wanted.kinds}
        found = [one for one in await self._each_kind(wanted.kinds, lambda kind: self._one(refs[kind])) if one]
        return found or [Sighting(Observation(refs[wanted.kinds[0]], _now(), exists=False))]

    async def _each_kind(self, kinds: Sequence[Kind], look: Callable[[Kind], Awaitable[Found]]) -> list[Found]:
        """What may be read; what may not is noted. Forbidden where that is nothing."""
        answers = await asyncio.gather(*(look(kind) for kind in kinds), return_exceptions=True)
        found: list[Found] = []
        refused: dict[Kind, Forbidden] = {}
        for kind, answer in zip(kinds, answers, strict=True):
            if isinstance(answer, Forbidden):
                refused[kind] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found.append(answer)
        if refused and not found:
            raise next(iter(refused.values()))
        self.left_out |= set(refused)
        return found

    async def _one(self, ref: ModelRef) -> Sighting | None:
        try:
            item = await self._cluster.get(await self._resources.model(ref))
        except Missing:
            return None
        listed = await self._cluster.list_all(pods(ref.namespace), labelSelector=pod_selector(ref))
        return await self._sighting(ref.kind, item, listed)

    async def _of_kind(self, kind: Kind, namespace: str | None) -> list[Sighting]:
        """Pods after the objects: what is said to be stopped must still have none. Empty without the CRD."""
        try:
            items = await self._cluster.list_all(await self._resources.collection(kind, namespace))
        except Missing:
            return []
        if not items:
            return []
        by_model: dict[str, list[Json]] = defaultdict(list)
        for pod in await self._cluster.list_all(pods(namespace), labelSelector=kind_selector(kind)):
            with one_object(Stage.POD, name_of(pod)):
                if owner := owner_of(pod["metadata"].get("labels") or {}, pod["metadata"]["namespace"]):
                    by_model[owner.subject].append(pod)
        made: list[tuple[Json, list[Json]]] = []
        for item in items:
            with one_object(Stage.MODEL, name_of(item)):
                made.append((item, by_model[_ref(kind, item).subject]))
        return list(await asyncio.gather(*(self._sighting(kind, *one) for one in made)))

    async def _sighting(self, kind: Kind, item: Json, listed: list[Json]) -> Sighting:
        """Not asked yet; but for a graph, whose members are looked at here."""
        ref, model = _ref(kind, item), Model(kind, item)
        if kind is Kind.INFERENCE_GRAPH:
            return Sighting(await self._observer.observe(ref))
        found = PodList.read(ref, {"items": listed})
        seen = observe_object(ref, model, found, _now())
        return Sighting(seen, tuple(servers_of(model, seen, found)), found.readable, runtime_of(model))

    async def _asked(self, found: Iterable[Sighting]) -> list[Sighting]:
        """Asks all pods of all models concurrently. Pods that do not answer are asked again, among fewer pods: the
        load of so many requests may have caused that, not the model.
        """
        found = list(found)
        left = [server for one in found for server in one.servers]
        answers: dict[str, PodAnswer] = {}
        for _ in range(_ROUNDS):
            within = LOOK_SECONDS + ANSWER_SECONDS * 3 * (len(left) // _AT_ONCE)
            answers |= await self._probe.ask(left, within)
            left = [server for server in left if _says_nothing(answers.get(server.pod_uid))]
            if not left:
                break
        return [
            one if one.ref.kind is Kind.INFERENCE_GRAPH else replace(one, seen=with_answers(one.seen, answers))
            for one in found
        ]

    def _note(self, seen: Observation) -> NoteState | None:
        text = (seen.annotations or {}).get(STOP_NOTE_ANNOTATION)
        if not seen.stop_wanted or seen.stop_note is None or text is None:
            return None
        return self._notes.state(text, seen.ref, seen.uid)

    def _remembered(self, one: Sighting) -> Sighting:
        if not is_silent(one.seen):
            self._silent.pop(one.seen.uid, None)
            return one
        return replace(one, unanswered_since=self._silent.setdefault(one.seen.uid, one.seen.observed_at))


def _says_nothing(answer: PodAnswer | None) -> bool:
    return answer is None or answer.what is Answered.UNANSWERED


def runtime_of(model: Model) -> str | None:
    """What the server's container comes from, as KServe says it (inference_service_status.go), else as the model names it."""
    namespace, status = model.metadata["namespace"], model.status
    if status.get("clusterServingRuntimeName"):
        return f"ClusterServingRuntime {status['clusterServingRuntimeName']}"
    name = status.get("servingRuntimeName") or ((model.spec.get("predictor") or {}).get("model") or {}).get("runtime")
    if name:
        return f"ServingRuntime {namespace}/{name}"
    if model.kind is Kind.INFERENCE_SERVICE and (model.spec.get("predictor") or {}).get("containers"):
        return f"{model.kind} {namespace}/{model.metadata['name']} (spec.predictor)"
    return None


def _ref(kind: Kind, item: Json) -> ModelRef:
    return ModelRef(namespace=item["metadata"]["namespace"], name=item["metadata"]["name"], kind=kind)
