"""A stop, a start or a reload, from its arrival to its answer: claim, observe, decide, save the intent, apply, commit."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from events.model import ModelRef
from functions.lifecycle.decide import decide
from functions.lifecycle.decision import Decision
from functions.lifecycle.effects import StepAnswer
from functions.lifecycle.errors import (
    ClusterRefused,
    Code,
    Conflict,
    PolicyRefused,
    PreconditionFailed,
    Refused,
    StepError,
    StoreUnavailable,
    Superseded,
    Temporary,
)
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.refusals import refuse_unless_there
from functions.lifecycle.request import Request
from functions.lifecycle.scene import Limits
from functions.reconcile.apply import ATTEMPTS, apply, commit_of
from functions.reconcile.ports import Claimed, Commit, Committed, InLine, Ports
from functions.reconcile.refused import drop, refuse

OVERTAKEN = 15
"""Commits that other observations were faster than: a stop of several pods brings a burst of notifications, which ends."""
COMMAND_LIFE = timedelta(hours=1)
BEFORE_MINE = 8
"""Commands of others that a delivery does before its own; the rest is left to the next delivery or the timer."""
NOTHING = StepAnswer(204)
MAY_BE_DONE = (
    "The command is in line and may still be carried out once Redis answers: ask for the model's status, "
    "or send it again with the same Idempotency-Key."
)


@dataclass(frozen=True)
class _Lease:
    """What a command is decided on. Without a token Redis is away and nothing can be recorded."""

    record: Record | None
    revision: int = 0
    token: str | None = None
    intent: Intent | None = None


async def reconcile_command(ports: Ports, request: Request, limits: Limits) -> StepAnswer:
    """A command arrives. If the model is free, the commands before it in line are done first, then this one.

    Returns what to answer; `ahead` is set if the command waits in line.

    Raises:
        StepError: the caller must be told otherwise.

    """
    for _ in range(BEFORE_MINE):
        try:
            claimed = await ports.claim(request)
        except StoreUnavailable:
            if not _works_unrecorded(request):
                raise
            return await _attempt(ports, request, _Lease(None), limits)
        if isinstance(claimed, InLine):
            return StepAnswer(202, ahead=claimed.ahead)
        if claimed.answer:
            return claimed.answer
        if claimed.request is None:
            return await _carry_out(ports, request, claimed, limits, heard=True)
        try:
            await _carry_out(ports, claimed.request, claimed, limits, heard=False)
        except Exception:  # noqa: BLE001 - another's command failed; it and this one are in line, and are tried again
            break
    return StepAnswer(202, ahead=1)


async def reconcile_next(ports: Ports, ref: ModelRef, limits: Limits) -> StepAnswer:
    """The next command in the model's line, whose sender waits no longer. NOTHING if there is none to begin."""
    claimed = await ports.claim_next(ref)
    if claimed is None or claimed.request is None:
        return NOTHING
    return await _carry_out(ports, claimed.request, claimed, limits, heard=False)


async def _carry_out(ports: Ports, request: Request, claimed: Claimed, limits: Limits, *, heard: bool) -> StepAnswer:
    """The lease is this command's. `heard`: its sender waits for the answer, so an error reaches it."""
    expires = request.expires_at or claimed.first_seen + COMMAND_LIFE
    if expires < claimed.now:
        return await drop(ports, request, claimed, Code.EXPIRED, f"it expired at {expires.isoformat()}")
    lease = _Lease(claimed.record, claimed.revision, claimed.token, claimed.planned)
    request = request.claimed(claimed.sequence, redelivered=claimed.redelivered, first_seen=claimed.first_seen)
    try:
        if not heard and _is_pointless(request, claimed.record):
            raise Superseded  # noqa: TRY301 - as where an observation finds it
        return await _attempt(ports, request, lease, limits)
    except Superseded:
        return await drop(ports, request, claimed, Code.SUPERSEDED, "a later command was already done")
    except Refused as refusal:
        return await refuse(ports, request, claimed, refusal, heard=heard)
    except PolicyRefused as refusal:
        return await refuse(ports, request, claimed, refusal, heard=heard)
    except ClusterRefused as refusal:
        if heard:
            await _release(ports, request, claimed.token, stays=False)
            raise
        return await refuse(ports, request, claimed, refusal, heard=False)
    except (Exception, asyncio.CancelledError) as error:
        # An unforeseen error too: the next command need not wait for the lease's end.
        temporary = isinstance(error, Temporary | asyncio.CancelledError)
        stays = not heard or (request.by_event and temporary)
        released = await _release(ports, request, claimed.token, stays=stays)
        if heard and not request.by_event and not released and isinstance(error, StepError):
            error.next_action = MAY_BE_DONE
        raise


def _is_pointless(request: Request, record: Record | None) -> bool:
    """Known without an observation: of many commands in line only the last is worth one."""
    return record is not None and request.verb != "reload" and record.sequence > request.sequence


async def _attempt(ports: Ports, request: Request, lease: _Lease, limits: Limits) -> StepAnswer:
    changed, failed, overtaken = False, 0, 0
    while failed < ATTEMPTS and overtaken < OVERTAKEN:
        seen = await ports.observe(request.ref, verb=request.verb)
        refuse_unless_there(seen)
        decision = decide(lease.record, seen, request, limits, lease.intent)
        if decision.intent and lease.token:
            try:
                await ports.save_intent(lease.token, request, decision.intent)
            except StoreUnavailable:
                if not _works_unrecorded(request):
                    raise
                lease = _Lease(lease.record)
        try:
            version = await apply(ports, decision, seen)
        except PreconditionFailed:
            failed += 1
            continue
        changed = changed or decision.changed
        answer = _answer(request, decision, changed=changed, recorded=True)
        commit = commit_of(decision, lease.revision, version, request=request, token=lease.token, answer=answer)
        committed = await _record(ports, request, commit, changed=decision.changed)
        if committed is None:
            return _answer(request, decision, changed=changed, recorded=False)
        if not (committed.conflict or committed.stale):
            return replace(answer, last=committed.last)
        overtaken += 1
        loaded = await ports.load(request.ref)
        lease = _Lease(loaded.record, loaded.revision, lease.token, decision.intent or lease.intent)
    raise Conflict(
        Code.CONFLICT,
        f"{request.ref} kept changing while it was looked at",
        "Ask again. If it goes on, find out who changes its annotations: kubectl get -o yaml --show-managed-fields.",
        retry_after=1,
    )


async def _record(ports: Ports, request: Request, commit: Commit, *, changed: bool) -> Committed | None:
    """None if nothing could be recorded although the cluster has accepted it: the answer says so."""
    if commit.token is None:
        return None
    try:
        return await ports.commit(commit)
    except StoreUnavailable:
        if request.by_event or not changed:
            raise
        return None


def _answer(request: Request, decision: Decision, *, changed: bool, recorded: bool) -> StepAnswer:
    if request.by_event:
        return StepAnswer(202, changed=changed)
    body: dict[str, Any] = {
        "status": decision.record.status().model_dump(mode="json"),
        "changed": changed,
        "recorded": recorded,
    }
    if decision.note:
        body["message"] = decision.note
    return StepAnswer(202 if changed else 200, body, changed)


def _works_unrecorded(request: Request) -> bool:
    """The off switch works when Redis is away; everything else waits for it."""
    return request.verb == "stop" and not request.by_event


async def _release(ports: Ports, request: Request, token: str, *, stays: bool) -> bool:
    """Whether the lease was given back."""
    try:
        await ports.release(token, request, stays=stays)
    except Temporary:
        return False
    return True
