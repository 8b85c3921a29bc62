"""Carries out what a step asks for, over the adapters, and hands back results and errors."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from functions.adapters.cluster import Changed, Cluster, Missing
from functions.adapters.command_log import CommandLog, Outcome
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.handover import Handovers
from functions.adapters.kserve.lookout import Lookout
from functions.adapters.kserve.notes import Notes
from functions.adapters.kserve.resources import Resources, as_number, named, pods
from functions.adapters.store import Store
from functions.lifecycle.effects import (
    Ask,
    Claim,
    Claimed,
    Commit,
    Committed,
    DeletePod,
    EndPods,
    InLine,
    Load,
    Look,
    MarkPod,
    Next,
    PatchModel,
    PinOwners,
    Plan,
    Release,
    StepAnswer,
    UnpinOwners,
)
from functions.lifecycle.errors import Code, PreconditionFailed, StepError, Temporary
from functions.lifecycle.observation import Observation
from functions.lifecycle.request import Request
from functions.lifecycle.step import Step

STEP_SECONDS = 10.0
GIVING_UP_SECONDS = 2.0
"""What a step that is given up may still take: it gives the model's turn back, so that the next command need not wait
for the lease's end."""
TURN_SECONDS = 3.0
_TURN_POLL_SECONDS = 0.03
_TURN_POLL_GROWS = 1.6
_MOST_WAITING = 32
"""Requests of this process that wait for their turns; in a burst the others are answered at once that they are in line.
What they wait for is done without them, and their asking must not keep Redis and this process from it.
"""
_AT_ONCE = 16


@dataclass
class _Begun:
    """A step in progress; `ask` is what it waits for, None once it has ended, with `error` where it failed."""

    step: Step
    ask: Ask | None = None
    error: Exception | None = None

    def send(self, result: Any) -> None:
        try:
            self.ask = self.step.send(result)
        except StopIteration:
            self.ask = None
        except Exception as error:  # noqa: BLE001 - the other steps go on
            self.ask, self.error = None, error


class _Told:
    """Follows one step, and reports each command that was carried out in it, once: with its commit, where Redis is away
    with its answer, and else with the error that it ended in.
    """

    def __init__(self, commands: CommandLog) -> None:
        self._commands = commands
        self._request: Request | None = None
        self._uid = ""

    def begin(self, ask: Ask) -> None:
        if isinstance(ask, Claim):
            self._request = ask.request

    def follow(self, ask: Ask, result: Any) -> None:
        match ask, result:
            case Claim(), InLine():
                self._request = None
            case Claim(request), Claimed() as claimed:
                self._request = None if claimed.answer else claimed.request or request
                self._uid = claimed.record.uid if claimed.record else ""
            case Next(), Claimed() as claimed:
                self._request, self._uid = claimed.request, claimed.record.uid if claimed.record else ""
            case Look(), Observation() as seen if seen.exists:
                self._uid = seen.uid or self._uid
            case Commit(request=Request() as request, token=str()) as commit, Committed(conflict=False, stale=False):
                self._commands.tell(request, _outcome(commit, self._uid))
                self._request = None

    def answered(self, answer: StepAnswer) -> None:
        if self._request and answer.body.get("recorded") is False:
            outcome = Outcome(changed=answer.changed, recorded=False, uid=self._uid)
            self._commands.tell(self._request, outcome)

    def failed(self, error: StepError) -> None:
        if self._request:
            outcome = Outcome(code=str(error.code), message=error.message, uid=self._uid)
            self._commands.tell(self._request, outcome, settled=False)


def _outcome(commit: Commit, uid: str) -> Outcome:
    refused = next((entry for entry in commit.audit if entry.code), None)
    changed = bool(commit.answer and commit.answer.changed) or any(entry.changed for entry in commit.audit)
    message = refused.message if refused else None
    return Outcome(changed=changed, code=refused.code if refused else None, message=message, uid=uid)


def _cut_off() -> Temporary:
    return Temporary(Code.BUSY, "the step was cut off", "Ask again; what was done so far is kept.", retry_after=1)


def _took_too_long() -> Temporary:
    message = f"a step took longer than {STEP_SECONDS:.0f}s and was given up"
    return Temporary(Code.BUSY, message, "Ask again; what was done so far is kept.", retry_after=5)


class Interpreter:
    """Runs steps. A step that takes 10 s is given up, well before its claim's lease of 15 s ends."""

    def __init__(
        self,
        cluster: Cluster,
        resources: Resources,
        lookout: Lookout,
        grace: Grace,
        store: Store,
        *,
        notes: Notes | None = None,
        commands: CommandLog | None = None,
    ) -> None:
        """`commands`: where each command is told that was carried out here; None: log lines alone."""
        self._cluster = cluster
        self._commands = commands or CommandLog(None)
        self._resources = resources
        self._lookout = lookout
        self._grace = grace
        self._handovers = Handovers(cluster)
        self._store = store
        self._notes = notes or Notes(())
        self._waiting = 0

    async def run(
        self, step: Step, looked: Observation | None = None, placed: Callable[[], None] | None = None
    ) -> StepAnswer:
        """Raises the step's own StepError; Temporary where it took too long.

        `looked` serves as the first look, where many models were listed at once. `placed` is called as soon as a
        command has its place in the model's line, or can't have one.
        """
        return await self._drive(step, looked, placed=placed)

    async def run_together(self, looks: Sequence[tuple[Step, Observation]]) -> list[Exception | None]:
        """Hints' steps whose looks are at hand: what all of them load, and then commit, goes to Redis in one go.

        What a step asks for beyond that it gets alone. Returns what each failed with, whatever that is, None where
        nothing went wrong; raises StoreUnavailable where Redis fails all of them.
        """
        steps = [_Begun(step) for step, _ in looks]
        for begun in steps:
            begun.send(None)
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await self._load_and_commit(steps, [seen for _, seen in looks])
        except TimeoutError as error:
            raise _took_too_long() from error
        gate = asyncio.Semaphore(_AT_ONCE)
        return list(await asyncio.gather(*(self._finish(begun, gate) for begun in steps)))

    async def _load_and_commit(self, steps: Sequence["_Begun"], looks: Sequence[Observation]) -> None:
        loads = [begun.ask for begun in steps if isinstance(begun.ask, Load)]
        if len(loads) != len(steps):
            raise TypeError("these steps do not begin with a Load: they are no hints'")
        loaded = await self._store.load_many([ask.ref for ask in loads])
        for begun, known, seen in zip(steps, loaded, looks, strict=True):
            begun.send(known)
            if isinstance(begun.ask, Look):
                begun.send(seen)
        ending = [(begun, begun.ask) for begun in steps if isinstance(begun.ask, Commit)]
        try:
            committed = await self._store.commit_many([ask for _, ask in ending])
        except StepError:
            raise
        except Exception:  # noqa: BLE001 - one can't be written: each by itself then, and that one fails alone
            return
        for (begun, _), done in zip(ending, committed, strict=True):
            begun.send(done)

    async def _finish(self, begun: "_Begun", gate: asyncio.Semaphore) -> Exception | None:
        if begun.ask is None:
            return begun.error
        try:
            async with gate:
                await self._drive(begun.step, None, begun.ask)
        except Exception as error:  # noqa: BLE001 - the other steps go on
            return error
        return None

    async def _drive(
        self,
        step: Step,
        looked: Observation | None,
        begun: Ask | None = None,
        placed: Callable[[], None] | None = None,
    ) -> StepAnswer:
        """The step to its end.

        One that is given up, for its time or from outside, is told so, and may end what it holds.
        """
        try:
            async with asyncio.timeout(STEP_SECONDS):
                return await self._answer(step, looked, begun, placed)
        except TimeoutError as error:
            return await self._give_up(step, _took_too_long(), error)
        except asyncio.CancelledError as error:
            giving_up = asyncio.create_task(self._give_up(step, _cut_off(), error))
            with suppress(StepError):
                await asyncio.shield(giving_up)
            raise

    async def _give_up(self, step: Step, why: StepError, cause: BaseException) -> StepAnswer:
        why.__cause__ = cause
        try:
            async with asyncio.timeout(GIVING_UP_SECONDS):
                return await self._answer(step, None, step.throw(why))
        except TimeoutError:
            raise why from cause
        except StopIteration as stop:
            answer: StepAnswer = stop.value
            return answer

    async def _answer(
        self,
        step: Step,
        looked: Observation | None,
        begun: Ask | None = None,
        placed: Callable[[], None] | None = None,
    ) -> StepAnswer:
        told = _Told(self._commands)
        result: Any
        try:
            ask = begun or next(step)
            while True:
                told.begin(ask)
                try:
                    if looked and isinstance(ask, Look):
                        result, looked = looked, None
                    elif isinstance(ask, Claim):
                        result = await self._claim(ask, placed)
                    else:
                        result = await self._carry_out(ask)
                except Exception as error:  # noqa: BLE001 - every failure belongs to the step, which says what it means
                    ask = step.throw(error)
                else:
                    told.follow(ask, result)
                    ask = step.send(result)
        except StopIteration as stop:
            answer: StepAnswer = stop.value
            told.answered(answer)
            return answer
        except StepError as error:
            told.failed(error)
            raise

    async def _carry_out(self, ask: Ask) -> Any:
        match ask:
            case Next():
                return await self._store.next(ask)
            case Load(ref):
                return await self._store.load(ref)
            case Look():
                return await self._lookout.look(ask)
            case Plan():
                return await self._store.plan(ask)
            case Commit():
                return await self._store.commit(ask)
            case Release():
                return await self._store.release(ask)
            case PatchModel():
                return await self._patch(ask)
            case DeletePod():
                return await self._delete_pod(ask)
            case MarkPod():
                return await self._handovers.mark(ask)
            case PinOwners():
                return await self._grace.pin(ask)
            case EndPods():
                return await self._grace.end_pods(ask)
            case UnpinOwners():
                return await self._grace.unpin(ask)

    async def _claim(self, ask: Claim, placed: Callable[[], None] | None = None) -> Claimed | InLine:
        """Over REST it waits a moment for its turn: two people who press at once should both get an answer."""
        try:
            claimed = await self._store.claim(ask)
        finally:
            if placed:
                placed()
        if not isinstance(claimed, InLine) or ask.request.by_event or self._waiting >= _MOST_WAITING:
            return claimed
        self._waiting += 1
        try:
            return await self._wait_in_line(ask, claimed)
        finally:
            self._waiting -= 1

    async def _wait_in_line(self, ask: Claim, claimed: Claimed | InLine) -> Claimed | InLine:
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + TURN_SECONDS, _TURN_POLL_SECONDS
        while isinstance(claimed, InLine) and loop.time() + pause < until:
            await asyncio.sleep(pause)
            pause *= _TURN_POLL_GROWS
            claimed = await self._store.claim(ask)
        return claimed

    async def _delete_pod(self, ask: DeletePod) -> None:
        """With the grace of its own spec; never another pod that has its name by now."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": ask.uid}}
        with suppress(Missing, Changed):
            await self._cluster.delete(named(pods(ask.ref.namespace), ask.name), body)

    async def _patch(self, ask: PatchModel) -> int:
        """The model's new resourceVersion. A model that vanished since the look is looked at again."""
        try:
            path = await self._resources.model(ask.ref)
            patched = await self._cluster.json_patch(path, self._notes.signed(ask))
        except Missing as error:
            raise PreconditionFailed(str(error)) from error
        return as_number(patched["metadata"].get("resourceVersion"))
