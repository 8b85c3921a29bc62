"""Reconciles in production: `Ports` over the adapters, with a limit on time and a word to the command log."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from events.commands import Verb
from events.model import ModelRef
from functions.adapters.cluster import Changed, Cluster, Missing
from functions.adapters.command_log import CommandLog, Outcome
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.handover import Handovers
from functions.adapters.kserve.notes import Notes
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import Resources, as_number, named, pods
from functions.adapters.store import Store
from functions.lifecycle.effects import (
    DeletePod,
    Effect,
    EndPods,
    MarkPod,
    PatchModel,
    PinOwners,
    StepAnswer,
    UnpinOwners,
)
from functions.lifecycle.errors import Code, PreconditionFailed, StepError, Temporary
from functions.lifecycle.observation import Observation
from functions.lifecycle.record import Intent
from functions.lifecycle.request import Request
from functions.lifecycle.scene import Limits
from functions.reconcile.command import reconcile_command, reconcile_next
from functions.reconcile.notification import reconcile_notification
from functions.reconcile.ports import Claimed, Commit, Committed, InLine, Loaded, Ports

RECONCILE_SECONDS = 10.0
"""Well below the 15 s of a lease."""
RELEASE_SECONDS = 2.0
"""What giving the lease back may take on top of that."""
LINE_SECONDS = 3.0
"""How long a REST request waits for the model's lease before it is answered that it is in line."""
_LINE_POLL_SECONDS = 0.03
_LINE_POLL_GROWS = 1.6
_MOST_WAITING = 32
"""Requests of this process that wait for their leases; in a burst the others are answered at once that they are in line.
What they wait for is done without them, and their asking must not keep Redis and this process from it.
"""
_AT_ONCE = 16
"""Of many notifications at once, the effects and observations in flight."""

T = TypeVar("T")


class Reconciler:
    """Every method returns what to answer, or raises StepError; Temporary after 10 s."""

    def __init__(
        self,
        cluster: Cluster,
        resources: Resources,
        observer: Observer,
        grace: Grace,
        store: Store,
        *,
        limits: Limits,
        notes: Notes | None = None,
        commands: CommandLog | None = None,
    ) -> None:
        """`commands`: where each command is told that was carried out here; None: log lines alone."""
        self._limits = limits
        self.cluster = cluster
        self.resources = resources
        self.observer = observer
        self.grace = grace
        self.handovers = Handovers(cluster)
        self.store = store
        self.notes = notes or Notes(())
        self.commands = commands or CommandLog(None)
        self.waiting_in_line = 0

    async def command(
        self, request: Request, observed: Observation | None = None, placed: Callable[[], None] | None = None
    ) -> StepAnswer:
        """`observed` serves as the first observation, if many models were listed at once. `placed` is called as soon as
        the command has its place in the model's line, or can't have one.
        """
        ports = _Adapters(self, observed, placed=placed)
        return await ports.tell(reconcile_command(ports, request, self._limits))

    async def next_in_line(self, ref: ModelRef) -> StepAnswer:
        ports = _Adapters(self)
        return await ports.tell(reconcile_next(ports, ref, self._limits))

    async def notification(
        self,
        ref: ModelRef,
        observed: Observation | None = None,
        *,
        object_version: int = 0,
        pods_version: int = 0,
        pinned: bool = False,
        in_passing: bool = False,
    ) -> StepAnswer:
        """The options of `reconcile_notification`."""
        return await reconcile_notification(
            _Adapters(self, observed),
            ref,
            self._limits,
            object_version=object_version,
            pods_version=pods_version,
            pinned=pinned,
            in_passing=in_passing,
        )

    async def notifications(self, observed: Sequence[Observation]) -> list[BaseException | None]:
        """Many models that were listed at once; the store sends what they load and commit in few round trips.

        Returns what each failed with, whatever that is; None if nothing went wrong.
        """
        gate = asyncio.Semaphore(_AT_ONCE)
        work = (
            reconcile_notification(_Adapters(self, seen, gate), seen.ref, self._limits, in_passing=True)
            for seen in observed
        )
        answers = await asyncio.gather(*work, return_exceptions=True)
        return [answer if isinstance(answer, BaseException) else None for answer in answers]


class _Adapters(Ports):
    """The ports of one reconcile. Each call ends when the reconcile's time is up."""

    def __init__(
        self,
        reconciler: Reconciler,
        observed: Observation | None = None,
        gate: asyncio.Semaphore | None = None,
        placed: Callable[[], None] | None = None,
    ) -> None:
        self._reconciler = reconciler
        self._observed = observed
        self._gate = gate
        self._placed = placed
        self._until = asyncio.get_running_loop().time() + RECONCILE_SECONDS
        self._request: Request | None = None
        self._uid = ""

    async def claim(self, request: Request) -> Claimed | InLine:
        """Over REST it waits a moment for the lease: two people who press at once should both get an answer."""
        self._request = request
        try:
            claimed = await self._in_time(self._reconciler.store.claim(request))
        finally:
            if self._placed:
                self._placed()
        if isinstance(claimed, InLine) and not request.by_event and self._reconciler.waiting_in_line < _MOST_WAITING:
            self._reconciler.waiting_in_line += 1
            try:
                claimed = await self._wait_in_line(request, claimed)
            finally:
                self._reconciler.waiting_in_line -= 1
        if isinstance(claimed, InLine):
            self._request = None
        else:
            self._begin(claimed, None if claimed.answer else claimed.request or request)
        return claimed

    async def _wait_in_line(self, request: Request, claimed: Claimed | InLine) -> Claimed | InLine:
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + LINE_SECONDS, _LINE_POLL_SECONDS
        while isinstance(claimed, InLine) and loop.time() + pause < until:
            await asyncio.sleep(pause)
            pause *= _LINE_POLL_GROWS
            claimed = await self._in_time(self._reconciler.store.claim(request))
        return claimed

    async def claim_next(self, ref: ModelRef) -> Claimed | None:
        claimed = await self._in_time(self._reconciler.store.claim_next(ref))
        if claimed:
            self._begin(claimed, claimed.request)
        return claimed

    async def load(self, ref: ModelRef) -> Loaded:
        return await self._in_time(self._reconciler.store.load(ref))

    async def observe(
        self, ref: ModelRef, *, verb: Verb | None = None, pinned: bool = False, predict: tuple[str, ...] = ()
    ) -> Observation:
        seen, self._observed = self._observed, None
        if seen is None:
            seen = await self._gated(
                lambda: self._reconciler.observer.observe(ref, verb=verb, pinned=pinned, predict=predict)
            )
        if seen.exists:
            self._uid = seen.uid or self._uid
        return seen

    async def save_intent(self, token: str, request: Request, intent: Intent) -> None:
        await self._in_time(self._reconciler.store.save_intent(token, request, intent))

    async def apply(self, effect: Effect) -> int | None:
        return await self._gated(lambda: self._apply(effect))

    async def commit(self, commit: Commit) -> Committed:
        committed = await self._in_time(self._reconciler.store.commit(commit))
        if commit.request and commit.token and not (committed.conflict or committed.stale):
            self._reconciler.commands.tell(commit.request, _outcome(commit, self._uid))
            self._request = None
        return committed

    async def release(self, token: str, request: Request, *, stays: bool) -> None:
        self._until = asyncio.get_running_loop().time() + RELEASE_SECONDS
        await self._in_time(self._reconciler.store.release(token, request, stays=stays))

    async def tell(self, reconcile: Awaitable[StepAnswer]) -> StepAnswer:
        """To its end. Each command carried out in it is told once: with its commit; if Redis is away, with its answer;
        else with its error.
        """
        try:
            answer = await reconcile
        except StepError as error:
            if self._request:
                outcome = Outcome(code=str(error.code), message=error.message, uid=self._uid)
                self._reconciler.commands.tell(self._request, outcome, settled=False)
            raise
        if self._request and answer.body.get("recorded") is False:
            outcome = Outcome(changed=answer.changed, recorded=False, uid=self._uid)
            self._reconciler.commands.tell(self._request, outcome)
        return answer

    def _begin(self, claimed: Claimed, request: Request | None) -> None:
        self._request = request
        self._uid = claimed.record.uid if claimed.record else ""

    async def _apply(self, effect: Effect) -> int | None:
        match effect:
            case PatchModel():
                return await self._patch(effect)
            case DeletePod():
                await self._delete_pod(effect)
            case MarkPod():
                await self._reconciler.handovers.mark(effect)
            case PinOwners():
                await self._reconciler.grace.pin(effect)
            case EndPods():
                await self._reconciler.grace.end_pods(effect)
            case UnpinOwners():
                await self._reconciler.grace.unpin(effect)
        return None

    async def _delete_pod(self, effect: DeletePod) -> None:
        """With the grace of its own spec; never another pod that has its name by now."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": effect.uid}}
        with suppress(Missing, Changed):
            await self._reconciler.cluster.delete(named(pods(effect.ref.namespace), effect.name), body)

    async def _patch(self, effect: PatchModel) -> int:
        """The model's new resourceVersion. A model that vanished since it was observed is observed again."""
        try:
            path = await self._reconciler.resources.model(effect.ref)
            patched = await self._reconciler.cluster.json_patch(path, self._reconciler.notes.signed(effect))
        except Missing as error:
            raise PreconditionFailed(str(error)) from error
        return as_number(patched["metadata"].get("resourceVersion"))

    async def _gated(self, work: Callable[[], Awaitable[T]]) -> T:
        """Waiting for others at the gate costs none of the reconcile's own time."""
        if self._gate is None:
            return await self._in_time(work())
        loop = asyncio.get_running_loop()
        waiting_since = loop.time()
        async with self._gate:
            self._until += loop.time() - waiting_since
            return await self._in_time(work())

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout_at(self._until):
                return await work
        except TimeoutError as error:
            raise Temporary(
                Code.BUSY,
                f"a step took longer than {RECONCILE_SECONDS:.0f}s and was given up",
                "Ask again; what was done so far is kept.",
                retry_after=5,
            ) from error


def _outcome(commit: Commit, uid: str) -> Outcome:
    refused = next((entry for entry in commit.audit if entry.code), None)
    changed = bool(commit.answer and commit.answer.changed) or any(entry.changed for entry in commit.audit)
    message = refused.message if refused else None
    return Outcome(changed=changed, code=refused.code if refused else None, message=message, uid=uid)
