"""Giving pods another grace than their own, without a race. facts: "What works, without a race (pinning)".

Our finalizer keeps a ReplicaSet (or StatefulSet) alive after the stop: terminating, it makes no replacement, and the
garbage collector leaves its pods alone. Then they are deleted with the grace wanted, and the finalizer goes.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from events.model import ModelRef
from functions.adapters.cluster import Changed, Cluster, Json, Missing
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.resources import (
    PIN_FINALIZER,
    PIN_LABEL,
    PIN_MODEL,
    WORKLOADS,
    pod_selector,
    pods,
    workloads,
)
from functions.lifecycle.effects import EndPods, PinOwners, UnpinOwners
from functions.lifecycle.observation import Owner, Pin

_TERMINATING_WITHIN_SECONDS = 2.0
_POLL_SECONDS = 0.03
_TRIES = 5


class Grace:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def pin(self, effect: PinOwners) -> None:
        await asyncio.gather(*(self._set_pin(effect.ref, owner, pinned=True) for owner in effect.owners))

    async def unpin(self, effect: UnpinOwners) -> None:
        await asyncio.gather(*(self._set_pin(effect.ref, owner, pinned=False) for owner in effect.owners))

    async def end_pods(self, effect: EndPods) -> None:
        """Returns early, all still pinned, where an owner is not terminating in time: the next tick goes on."""
        deadline = time.monotonic() + _TERMINATING_WITHIN_SECONDS
        for owner in effect.owners:
            while not await self._is_terminating(effect.ref, owner):
                if time.monotonic() > deadline:
                    return
                await asyncio.sleep(_POLL_SECONDS)
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
            item = await self._cluster.get(f"{workloads(owner.kind, ref.namespace)}/{owner.name}")
        except Missing:
            return True
        return item["metadata"]["uid"] != owner.uid or "deletionTimestamp" in item["metadata"]

    async def _delete(self, ref: ModelRef, name: str, uid: str, grace: int) -> None:
        """Never 0: the object would vanish while the process holds the GPU."""
        body = {"gracePeriodSeconds": max(1, grace), "preconditions": {"uid": uid}}
        with suppress(Missing, Changed):
            await self._cluster.delete(f"{pods(ref.namespace)}/{name}", body)

    async def _set_pin(self, ref: ModelRef, owner: Owner, *, pinned: bool) -> None:
        path = f"{workloads(owner.kind, ref.namespace)}/{owner.name}"
        for _ in range(_TRIES):
            try:
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
