"""Giving pods another grace than their own, without a race. ADR 5 says why it is done so.

Our finalizer keeps a ReplicaSet (or StatefulSet) alive after the stop: terminating, it makes no replacement, and the
garbage collector leaves its pods alone. Then they are deleted with the grace wanted, and the finalizer goes.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from events.model import ModelRef
from functions.adapters.cluster import Changed, Cluster, Json, Missing
from functions.adapters.kserve.observations import PodList
from functions.adapters.kserve.parsing import parse
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import (
    PIN_FINALIZER,
    PIN_LABEL,
    PIN_MODEL,
    PINNED,
    WORKLOADS,
    named,
    pod_selector,
    pods,
    workloads,
)
from functions.adapters.kserve.schema import WORKLOAD
from functions.lifecycle.effects import EndPods, PinOwners, UnpinOwners
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Owner, Pin
from functions.object_errors import Stage, one_object

_PATIENCE_SECONDS = 0.4  # a stop is accepted within a second, and in Standard mode KServe needs 0.1 s
_LATER_SECONDS = 8.0  # by then a tick has gone on
_LATER_AT_ONCE = 64
_POLLS_SECONDS = (0.03, 0.03, 0.06, 0.1, 0.2)  # the last one from then on
_TRIES = 5


class Grace:
    """`installation`: whose pins are ours; another one's are not touched, since its stop may be about to be written."""

    def __init__(self, cluster: Cluster, installation: str = "modelswitch") -> None:
        self._cluster = cluster
        self._installation = installation
        self._later: set[asyncio.Task[None]] = set()

    async def pin(self, effect: PinOwners) -> None:
        await asyncio.gather(*(self._set_pin(effect.ref, owner, pinned=True) for owner in effect.owners))

    async def unpin(self, effect: UnpinOwners) -> None:
        await asyncio.gather(*(self._set_pin(effect.ref, owner, pinned=False) for owner in effect.owners))

    async def end_pods(self, effect: EndPods) -> None:
        """Where an owner is not terminating soon (Knative's takes seconds), the rest continues in a background task.

        That is safe at any later time, since nothing but pods of a terminating owner is deleted, and may be lost with
        this process: until it is done everything stays pinned, and what is pinned the tick ends too.
        """
        rest = await self._end_terminating(effect, _PATIENCE_SECONDS)
        if rest.owners and len(self._later) < _LATER_AT_ONCE:
            task = asyncio.create_task(self._end_later(rest))
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _end_later(self, effect: EndPods) -> None:
        with suppress(StepError):
            await self._end_terminating(effect, _LATER_SECONDS)

    async def _end_terminating(self, effect: EndPods, seconds: float) -> EndPods:
        """Each owner as soon as it is terminating; returns what is left of `effect` after `seconds`.

        One may wait for another: a LeaderWorkerSet's workers belong to the leader's pod, and so end after it.
        """
        until = time.monotonic() + seconds
        polls = itertools.chain(_POLLS_SECONDS, itertools.repeat(_POLLS_SECONDS[-1]))
        while True:
            ending = [owner for owner in effect.owners if await self._is_terminating(effect.ref, owner)]
            if ending:
                await self._delete_pods(replace(effect, owners=tuple(ending)))
                effect = replace(effect, owners=tuple(owner for owner in effect.owners if owner not in ending))
            if not effect.owners or time.monotonic() > until:
                return effect
            await asyncio.sleep(next(polls))

    async def _delete_pods(self, effect: EndPods) -> None:
        owned = {owner.uid for owner in effect.owners}
        items = await self._cluster.list_all(pods(effect.ref.namespace), labelSelector=pod_selector(effect.ref))
        listed = PodList.read(effect.ref, {"items": items}).pods
        ours = [pod for pod in listed if pod.owner and pod.owner.uid in owned and not pod.deleting]
        await asyncio.gather(*(self._delete(effect.ref, pod.name, pod.uid, effect.grace) for pod in ours))
        await self.unpin(UnpinOwners(effect.ref, effect.owners))

    async def pins_of(self, ref: ModelRef) -> tuple[Pin, ...]:
        """What is pinned for one model, found by label: also where its pods are gone already."""
        return tuple([pin async for model, pin in self._pins(ref.namespace) if model == ref])

    async def pinned_models(self) -> list[ModelRef]:
        """Every model of the cluster that has a pin: a crash can leave one, and nothing else would find it."""
        return list(dict.fromkeys([model async for model, _ in self._pins(None)]))

    async def _pins(self, namespace: str | None) -> AsyncIterator[tuple[ModelRef, Pin]]:
        """Any user may give a workload our label: one that we did not pin is skipped."""
        async for item in self._pinned(namespace):
            pin = None
            with one_object(Stage.PIN, name_of(item)):
                pin = _read_pin(item)
            if pin:
                yield pin

    async def _pinned(self, namespace: str | None) -> AsyncIterator[Json]:
        ours = f"{PIN_LABEL} in ({','.join(self._ours)})"
        for kind in WORKLOADS:
            for item in await self._cluster.list_all(workloads(kind, namespace), labelSelector=ours):
                yield {"kind": kind, **item}

    @property
    def _ours(self) -> tuple[str, str]:
        """What the label of our pins says; PINNED was written by the version before, whose pins are finished here too."""
        return PINNED, self._installation

    async def _is_terminating(self, ref: ModelRef, owner: Owner) -> bool:
        try:
            item = await self._cluster.get(named(workloads(owner.kind, ref.namespace), owner.name))
        except Missing:
            return True
        metadata = parse(WORKLOAD, item).get("metadata") or {}
        return metadata.get("uid") != owner.uid or metadata.get("deletionTimestamp") is not None

    async def _delete(self, ref: ModelRef, name: str, uid: str, grace: int) -> None:
        """Never 0: the object would vanish while the process holds the GPU."""
        body = {"gracePeriodSeconds": max(1, grace), "preconditions": {"uid": uid}}
        with suppress(Missing, Changed):
            await self._cluster.delete(named(pods(ref.namespace), name), body)

    async def _set_pin(self, ref: ModelRef, owner: Owner, *, pinned: bool) -> None:
        for _ in range(_TRIES):
            try:
                path = named(workloads(owner.kind, ref.namespace), owner.name)
                metadata = parse(WORKLOAD, await self._cluster.get(path)).get("metadata") or {}
                finalizers = set(metadata.get("finalizers") or [])
                if metadata.get("uid") != owner.uid or (PIN_FINALIZER in finalizers) == pinned:
                    return
                if not pinned and (metadata.get("labels") or {}).get(PIN_LABEL, PINNED) not in self._ours:
                    return
                label = self._installation if pinned else None
                await self._cluster.merge_patch(path, {"metadata": _pin_patch(metadata, ref, label)})
            except Missing:
                return
            except Changed:
                continue
            return


def _pin_patch(metadata: Json, ref: ModelRef, installation: str | None) -> Json:
    """`installation` None: it is not to be pinned."""
    pinned = installation is not None
    others = [name for name in metadata.get("finalizers") or [] if name != PIN_FINALIZER]
    return {
        "uid": metadata["uid"],
        "resourceVersion": metadata.get("resourceVersion"),
        "finalizers": [*others, PIN_FINALIZER] if pinned else others,
        "labels": {PIN_LABEL: installation},
        "annotations": {PIN_MODEL: ref.subject if pinned else None},
    }


def _read_pin(item: Json) -> tuple[ModelRef, Pin]:
    """ValueError, KeyError: we did not pin it. A pin is where its model is, so that no tenant names another's."""
    metadata = parse(WORKLOAD, item)["metadata"]
    model = ModelRef.from_subject((metadata.get("annotations") or {}).get(PIN_MODEL, ""))
    if model.namespace != metadata["namespace"]:
        raise ValueError(f"its annotation {PIN_MODEL} names a model of namespace {model.namespace}")
    owner = Owner(item["kind"], metadata["name"], metadata["uid"])
    return model, Pin(owner, metadata.get("deletionTimestamp") is not None)
