"""Carries a plan out: StorageClass, claim, copy, runtime, model; then publishes the event, and waits for the model.

Every step reads the cluster before it acts, so that the next run can continue an interrupted one. A step that fails
undoes what this run did; an interrupt undoes nothing.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudevents.http import CloudEvent

from events.errors import ModelswitchError, PublishFailed
from functions.adapters.cluster import Changed, Cluster
from functions.admin.pvc import manifests, verifying
from functions.admin.pvc.errors import StepFailed
from functions.admin.pvc.loading import Loaded, load, remove
from functions.admin.pvc.manifests import DIGEST_ANNOTATION
from functions.admin.pvc.planning import Plan
from functions.admin.pvc.progress import Teller
from functions.admin.pvc.seen import Json
from functions.admin.pvc.telling import written
from functions.admin.pvc.undoing import MODEL, Journal, deletes, puts_back
from functions.admin.pvc.verdicts import Change
from functions.admin.pvc.verifying import Standing
from functions.admin.pvc.volumes import claims, record_key
from functions.admin.pvc.waiting import Patience
from functions.lifecycle.errors import PreconditionFailed

Send = Callable[[CloudEvent], None]


@dataclass(frozen=True)
class Done:
    """How it ended. `standing` None: the model is stopped, so whether it answers is unknown."""

    standing: Standing | None
    digest: str | None
    published: bool


@dataclass
class Apply:
    """One run. `send` None: there is no sink, and that is said."""

    cluster: Cluster
    plan: Plan
    tell: Teller
    loading: Patience
    verifying: Patience
    send: Send | None = None
    sink: str = ""

    def __post_init__(self) -> None:
        self._journal = Journal(self.tell)

    async def run(self) -> Done:
        """Raises StepFailed after undoing what this run did. A cancellation undoes nothing."""
        try:
            return await self._steps()
        except ModelswitchError as error:
            self.tell.say(f"failed: {error}")
            undone = await self._journal.undo()
            following = error.next_action or "Look at the cluster, then apply again."
            raise StepFailed(error.message, f"{undone}. {following}") from error

    async def _steps(self) -> Done:
        plan = self.plan
        if plan.storage_class:
            await self._storage(plan.storage_class, "the claim needs it")
        if plan.claim:
            await self._storage(plan.claim, "what is on it is never deleted")
        loaded = await self._load(plan.loader) if plan.loader else _from_record(plan.loaded)
        if plan.leftover:
            await remove(self.cluster, plan.leftover, self.loading)
            self.tell.say(f"{plan.leftover.what} of an earlier run: finished and deleted")
        if plan.runtime:
            await self._create(plan.runtime)
        if plan.service:
            await self._serve(plan.service, loaded.digest if loaded else None)
        published = await self._publish(loaded) if loaded else False
        return Done(await self._verify(), loaded.digest if loaded else None, published)

    async def _storage(self, change: Change, why: str) -> None:
        try:
            await self.cluster.create(change.collection, change.after)
            self.tell.say(f"{change.what}: created")
        except Changed:
            raise StepFailed(
                f"another client created {change.what} in between", "Apply again: the plan is then made again."
            ) from None
        self._journal.stays(f"{change.what}: {why}")

    async def _load(self, change: Change) -> Loaded:
        async def gone() -> None:
            await remove(self.cluster, change, self.loading)

        self._journal.done(f"{change.what} deleted", gone)
        loaded = await load(self.cluster, self.plan.wish, change, self.tell, self.loading)
        await self._record(loaded, published=False)
        await remove(self.cluster, change, self.loading)
        self._journal.settled()
        self.tell.say(
            f"{change.what}: finished and deleted: {loaded.files} files, {loaded.size} bytes, {loaded.digest}"
        )
        self._journal.stays(f"{self.plan.wish.target} with {loaded.size} bytes, {loaded.digest}")
        return loaded

    async def _record(self, loaded: Loaded, *, published: bool) -> None:
        wish = self.plan.wish
        source = str((self.plan.loaded or {}).get("source") or self.plan.source)
        note = manifests.record(source, loaded.digest, loaded.size, loaded.files, published=published)
        body = {"metadata": {"annotations": {record_key(wish): note}}}
        await self.cluster.merge_patch(f"{claims(wish.namespace)}/{wish.claim}", body)

    async def _create(self, change: Change) -> Json:
        try:
            made = await self.cluster.create(change.collection, change.after)
        except Changed:
            raise StepFailed(
                f"another client created {change.what} in between", "Apply again: the plan is then made again."
            ) from None
        self.tell.say(f"{change.what}: created")
        self._journal.done(f"{change.what} deleted", deletes(self.cluster, change, made))
        return made

    async def _serve(self, change: Change, digest: str | None) -> None:
        after = manifests.with_digest(change.after, digest) if digest else _without_digest(change.after)
        change = Change(change.collection, change.before, after)
        if change.before is None:
            await self._create(change)
            return
        made = await self._patch(change, change.before)
        self.tell.say(f"{change.what}: storageUri is {self.plan.wish.target}")
        self._journal.done(
            f"{change.what} has its storage as before", puts_back(self.cluster, change, change.before, made)
        )

    async def _patch(self, change: Change, before: Json) -> Json:
        """Refused by the API server where the model is no longer what the plan was made for."""
        annotations = (
            {} if before["metadata"].get("annotations") else {"op": "add", "path": "/metadata/annotations", "value": {}}
        )
        digest = change.after["metadata"].get("annotations", {}).get(DIGEST_ANNOTATION)
        operations: list[Json] = [
            {"op": "test", "path": "/metadata/uid", "value": before["metadata"]["uid"]},
            {"op": "test", "path": MODEL, "value": before["spec"]["predictor"]["model"]},
            {"op": "replace", "path": MODEL, "value": change.after["spec"]["predictor"]["model"]},
            *([annotations] if annotations else []),
        ]
        if digest:
            path = f"/metadata/annotations/{DIGEST_ANNOTATION.replace('/', '~1')}"
            operations.append({"op": "add", "path": path, "value": digest})
        try:
            return await self.cluster.json_patch(change.path, list(operations))
        except PreconditionFailed as error:
            raise StepFailed(
                f"another client changed {change.what} since the plan was made ({error})", "Apply again."
            ) from error

    async def _publish(self, loaded: Loaded) -> bool:
        """Once for each artifact: what an interrupted run did not come to is told by the next, under the same id."""
        if (self.plan.loaded or {}).get("published"):
            return False
        if self.send is None:
            self.tell.say(
                f"published nothing: no --sink is set, so no other client is notified of {self.plan.wish.target}"
            )
            return False
        event = written(self.plan, loaded)
        try:
            await asyncio.to_thread(self.send, event)
        except PublishFailed as error:
            said = f"published nothing: {error.message}. The model has the artifact all the same"
            self.tell.say(f"{said}. {error.next_action}")
            return False
        await self._record(loaded, published=True)
        self.tell.say(f"published {event['type']} to {self.sink}")
        return True

    async def _verify(self) -> Standing | None:
        wish = self.plan.wish
        if self.plan.stopped:
            self.tell.say(f"{wish.name} is stopped, so that it answers is not verified; it starts from the claim")
            return None
        standing = await verifying.wait(self.cluster, wish, self.tell, self.verifying)
        count, bad = await verifying.empty_dirs(self.cluster, wish)
        if bad:
            pod, volumes = next(iter(bad.items()))
            following = "Take a runtime without it (--runtime NEW), or correct the InferenceService's volumes."
            raise StepFailed(f"pod {pod} has emptyDir {', '.join(volumes)} where the model belongs", following)
        if count:
            self.tell.say(f"checked on {count} pods: no emptyDir for the model, it is read from claim {wish.claim}")
        return standing


def _from_record(said: Mapping[str, Any] | None) -> Loaded | None:
    return Loaded(str(said["digest"]), int(said["size"]), int(said["files"])) if said else None


def _without_digest(after: Json) -> Json:
    wanted = manifests.bare(after)
    (wanted["metadata"].get("annotations") or {}).pop(DIGEST_ANNOTATION, None)
    return wanted
