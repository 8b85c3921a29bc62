"""Runs the one step for a REST request, and looks at a model."""

import time
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from events.commands import ModelCommand
from events.model import ModelRef
from events.senders import printable
from events.status import ModelStatus
from functions.adapters.identity import User
from functions.api.bodies import Origin
from functions.api.context import Api
from functions.lifecycle.effects import Handled, StepAnswer
from functions.lifecycle.errors import Code, NotFound, StepError, Temporary
from functions.lifecycle.observation import Observation
from functions.lifecycle.request import Request


async def run_command(
    api: Api,
    ref: ModelRef,
    command: ModelCommand,
    user: User,
    origin: Origin,
    *,
    queue: bool = False,
    looked: Observation | None = None,
) -> StepAnswer:
    """Raises StepError. `looked`: the first look, where many models were listed at once.
    Events leave in the background, also where the step was refused: a look may have found some.
    """
    request = Request(
        ref=ref,
        command=command,
        source=f"rest:{user.name}",
        id=origin.id,
        actor=user.name,
        claimed_actor=_claim(command, user),
        correlation_id=origin.correlation_id,
        traceparent=origin.traceparent,
        queue=queue,
    )
    in_line = line_empty = False
    if origin.place:
        await origin.place.turn()
    try:
        placed = origin.place.leave if origin.place else None
        answer = await _measured(api, request.verb, api.parts.reconciler.command(request, looked, placed))
        in_line, line_empty = answer.ahead is not None, answer.last
    finally:
        api.outbox.nudge()
        if not (in_line or line_empty):
            api.parts.line.go_on(ref)
    if in_line:
        return await _in_line(api, ref, answer)
    return answer if answer.body else StepAnswer(200, await _dropped(api, ref))


def _claim(command: ModelCommand, user: User) -> str | None:
    claim = printable(command.actor)
    return None if claim == user.name else claim


async def look(api: Api, ref: ModelRef) -> ModelStatus:
    """What is true now. NotFound where there is no such model; nothing is then written about it."""
    seen = None
    if (await api.parts.store.load(ref)).record is None:
        seen = await api.parts.observer.observe(ref)
        if not seen.exists:
            raise not_found(ref)
    await _measured(api, "look", api.parts.reconciler.notification(ref, seen, in_passing=True))
    api.outbox.nudge()
    record = (await api.parts.store.load(ref)).record
    if record is None or record.state is None:
        raise await _why_unknown(api, ref)
    return record.status()


def not_found(ref: ModelRef) -> NotFound:
    return NotFound(
        Code.NOT_FOUND,
        f"there is no {ref.kind} {ref.name} in namespace {ref.namespace}",
        f"Check the name: kubectl get {ref.kind.plural} -n {ref.namespace}",
    )


async def _why_unknown(api: Api, ref: ModelRef) -> StepError:
    """A model without a record is gone, or Redis lost what was just written of it: the cluster knows which."""
    if not (await api.parts.observer.observe(ref)).exists:
        return not_found(ref)
    message = f"Redis lost its data, or {ref} kept changing, while it was looked at"
    return Temporary(Code.BUSY, message, "Ask again in a moment.", retry_after=1)


async def _in_line(api: Api, ref: ModelRef, answer: StepAnswer) -> StepAnswer:
    """Another command is still at work. This one is carried out in its turn, whether a caller waits for it or not."""
    status = None
    with suppress(StepError):
        record = (await api.parts.store.load(ref)).record
        if record and record.state:
            status = record.status().model_dump(mode="json")
    body = {
        "status": status,
        "changed": False,
        "recorded": True,
        "queued": True,
        "ahead": answer.ahead,
        "message": f"It is in line: {answer.ahead or 'another'} of this model's commands come first. "
        "The same Idempotency-Key tells what became of it.",
    }
    return replace(answer, body=body)


async def _dropped(api: Api, ref: ModelRef) -> Mapping[str, Any]:
    """A command that came too late (an old Idempotency-Key): nothing was changed, and this is how things are."""
    record = (await api.parts.store.load(ref)).record
    status = record.status() if record and record.state else await look(api, ref)
    return {
        "status": status.model_dump(mode="json"),
        "changed": False,
        "recorded": True,
        "message": "Nothing was done: this request expired, or a later one was already done.",
    }


async def _measured(api: Api, verb: str, reconcile: Awaitable[StepAnswer]) -> StepAnswer:
    began = time.perf_counter()
    outcome: str = Code.INTERNAL_ERROR
    try:
        answer = await reconcile
    except StepError as error:
        outcome = str(error.code)
        raise
    else:
        outcome = Handled.CHANGED if answer.changed else Handled.UNCHANGED
        return answer
    finally:
        api.meters.steps.labels(verb, outcome).inc()
        api.meters.step_seconds.labels(verb).observe(time.perf_counter() - began)
