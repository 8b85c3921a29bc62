"""Giving pods another grace than their own, without a race. facts: "What works, without a race (pinning)".

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
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.resources import (
    PIN_FINALIZER,
    PIN_LABEL,
    PIN_MODEL,
    WORKLOADS,
    named,
    pod_selector,
    pods,
    workloads,
)
from functions.lifecycle.effects import EndPods, PinOwners, UnpinOwners
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Owner, Pin

_PATIENCE_SECONDS = 0.4  # a stop is accepted within a second, and in Standard mode KServe needs 0.1 s
_LATER_SECONDS = 8.0  # by then a tick has gone on
_LATER_AT_ONCE = 64
_POLLS_SECONDS = (0.03, 0.03, 0.06, 0.1, 0.2)  # the last one from then on
_TRIES = 5


class Grace:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._later: set[asyncio.Task[None]] = set()

    async def pin(self, effect: PinOwners) -> None:
        await asyncio.gather(*(self._set_pin(effect.ref, owner, pinned=True) for owner in effect.owners))

    async def unpin(self, effect: UnpinOwners) -> None:
        await asyncio.gather(*(self._set_pin(effect.ref, owner, pinned=False) for owner in effect.owners))

    async def end_pods(self, effect: EndPods) -> None:
        """Where an owner is not terminating soon (Knative's takes seconds), the rest is done behind the caller's back.

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
        ours = [pod for pod in map(read_pod, items) if pod.owner and pod.owner.uid in owned and not pod.deleting]
        await asyncio.gather(*(self._delete(effect.ref, pod.name, pod.uid, effect.grace) for pod in ours))
        await self.unpin(UnpinOwners(effect.ref, effect.owners))

    async def pins_of(self, ref: ModelRef) -> tuple[Pin, ...]:
        """What is pinned for one model, found by label: also where its pods are gone already."""
        pinned = [item async for item in self._pinned(ref.namespace)]
        return tuple(pin for subject, pin in map(_read_pin, pinned) if subject == ref.subject)

    async def pinned_models(self) -> list[ModelRef]:
        """Every model of the cluster that has a pin: a crash can leave one, and nobody else would find it."""
        subjects = {_read_pin(item)[0] async for item in self._pinned(None)}
        return [ModelRef.from_subject(subject) for subject in sorted(subjects) if subject]

    async def _pinned(self, namespace: str | None) -> AsyncIterator[Json]:
        for kind in WORKLOADS:
            for item in await self._cluster.list_all(workloads(kind, namespace), labelSelector=PIN_LABEL):
                yield {"kind": kind, **item}

    async def _is_terminating(self, ref: ModelRef, owner: Owner) -> bool:
        try:
            item = await self._cluster.get(named(workloads(owner.kind, ref.namespace), owner.name))
        except Missing:
            return True
        return item["metadata"]["uid"] != owner.uid or "deletionTimestamp" in item["metadata"]

    async def _delete(self, ref: ModelRef, name: str, uid: str, grace: int) -> None:
        """Never 0: the object would vanish while the process holds the GPU."""
        body = {"gracePeriodSeconds": max(1, grace), "preconditions": {"uid": uid}}
        with suppress(Missing, Changed):
            await self._cluster.delete(named(pods(ref.namespace), name), body)

    async def _set_pin(self, ref: ModelRef, owner: Owner, *, pinned: bool) -> None:
        for _ in range(_TRIES):
            try:
                path = named(workloads(owner.kind, ref.namespace), owner.name)
                metadata = (await self._cluster.get(path))["metadata"]
                finalizers = set(metadata.get("finalizers") or [])
                if metadata["uid"] != owner.uid or (PIN_FINALIZER in finalizers) == pinned:
                    return
                await self._cluster.merge_patch(path, {"metadata": _pin_patch(metadata, ref, pinned=pinned)})
            except Missing:
                return
            except Changed:
                continue
            return


def _pin_patch(metadata: Json, ref: ModelRef, *, pinned: bool) -> Json:
    others = [name for name in metadata.get("finalizers") or [] if name != PIN_FINALIZER]
    return {
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
        "finalizers": [*others, PIN_FINALIZER] if pinned else others,
        "labels": {PIN_LABEL: "true" if pinned else None},
        "annotations": {PIN_MODEL: ref.subject if pinned else None},
    }


def _read_pin(item: Json) -> tuple[str, Pin]:
    metadata = item["metadata"]
    owner = Owner(item["kind"], metadata["name"], metadata["uid"])
    subject = (metadata.get("annotations") or {}).get(PIN_MODEL, "")
    return subject, Pin(owner, "deletionTimestamp" in metadata)
