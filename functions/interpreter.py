"""Carries out what a step asks for, over the adapters, and hands back results and errors."""

import asyncio
from typing import Any

from functions.adapters.cluster import Cluster, Missing
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.lookout import Lookout
from functions.adapters.kserve.resources import Resources, as_number
from functions.adapters.store import Store
from functions.lifecycle.effects import (
    Ask,
    Claim,
    Claimed,
    Commit,
    EndPods,
    Load,
    Look,
    PatchModel,
    PinOwners,
    Plan,
    Release,
    StepAnswer,
    UnpinOwners,
)
from functions.lifecycle.errors import Code, PreconditionFailed, Temporary
from functions.lifecycle.observation import Observation
from functions.lifecycle.step import Step

STEP_SECONDS = 10.0
TURN_SECONDS = 3.0
_TURN_POLL_SECONDS = 0.03


class Interpreter:
    """Runs steps. A step that takes 10 s is given up, well before its claim's lease of 15 s ends."""

    def __init__(self, cluster: Cluster, resources: Resources, lookout: Lookout, grace: Grace, store: Store) -> None:
        self._cluster = cluster
        self._resources = resources
        self._lookout = lookout
        self._grace = grace
        self._store = store

    async def run(self, step: Step, looked: Observation | None = None) -> StepAnswer:
        """Raises the step's own StepError; Temporary where it took too long.

        `looked` serves as the first look, where many models were listed at once.
        """
        try:
            async with asyncio.timeout(STEP_SECONDS):
                return await self._drive(step, looked)
        except TimeoutError as error:
            message = f"a step took longer than {STEP_SECONDS:.0f}s and was given up"
            raise Temporary(Code.BUSY, message, "Ask again; what was done so far is kept.", retry_after=5) from error

    async def _drive(self, step: Step, looked: Observation | None) -> StepAnswer:
        try:
            ask = next(step)
            while True:
                try:
                    if looked and isinstance(ask, Look):
                        result, looked = looked, None
                    else:
                        result = await self._carry_out(ask)
                except Exception as error:  # noqa: BLE001 - every failure belongs to the step, which says what it means
                    ask = step.throw(error)
                else:
                    ask = step.send(result)
        except StopIteration as stop:
            answer: StepAnswer = stop.value
            return answer

    async def _carry_out(self, ask: Ask) -> Any:
        match ask:
            case Claim():
                return await self._claim(ask)
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
            case PinOwners():
                return await self._grace.pin(ask)
            case EndPods():
                return await self._grace.end_pods(ask)
            case UnpinOwners():
                return await self._grace.unpin(ask)

    async def _claim(self, ask: Claim) -> Claimed:
        """Waits a moment for the model's turn: two people who press at once should both get an answer."""
        async with asyncio.timeout(STEP_SECONDS):
            loop = asyncio.get_running_loop()
            until = loop.time() + TURN_SECONDS
            while True:
                try:
                    return await self._store.claim(ask)
                except Temporary as busy:
                    if busy.code is not Code.BUSY or loop.time() > until:
                        raise
                    await asyncio.sleep(_TURN_POLL_SECONDS)

    async def _patch(self, ask: PatchModel) -> int:
        """The model's new resourceVersion. A model that vanished since the look is looked at again."""
        try:
            path = await self._resources.model(ask.ref)
            patched = await self._cluster.json_patch(path, list(ask.operations))
        except Missing as error:
            raise PreconditionFailed(str(error)) from error
        return as_number(patched["metadata"].get("resourceVersion"))
