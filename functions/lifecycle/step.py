"""One step: claim, look, decide, act, commit. Written once, as a generator that asks for its I/O.

Production sends each ask to adapters (functions/interpreter.py); the exhaustive tests send it to a model of the world.
Whatever fails in the outside is thrown in here, so that this file alone says what a failure means.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from events.facts import ModelFailed
from events.model import ModelRef
from functions.lifecycle.canary import being_asked, brought, with_brought
from functions.lifecycle.decide import decide
from functions.lifecycle.decision import Decision, audit_name
from functions.lifecycle.derive import Limits
from functions.lifecycle.effects import (
    Ask,
    AuditEntry,
    Claim,
    Claimed,
    Commit,
    Committed,
    InLine,
    Load,
    Loaded,
    Look,
    Next,
    Plan,
    Published,
    Release,
    StepAnswer,
    UnpinOwners,
)
from functions.lifecycle.errors import (
    ClusterRefused,
    Code,
    Conflict,
    PreconditionFailed,
    Refused,
    StepError,
    StoreUnavailable,
    Superseded,
    Temporary,
)
from functions.lifecycle.handover import end_left
from functions.lifecycle.observation import Observation
from functions.lifecycle.observe import publish
from functions.lifecycle.prediction import Prediction
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.refusals import refuse_unless_there
from functions.lifecycle.request import Request

ATTEMPTS = 5
OVERTAKEN = 15  # commits that other looks were faster than: a stop of several pods brings a burst of hints, which ends
COMMAND_LIFE = timedelta(hours=1)

BEFORE_MINE = (
    8  # what a delivery does of others before its own command; the rest is left to the next delivery or the timer
)
NOTHING = StepAnswer(204)
MAY_BE_DONE = (
    "The command is in line and may still be carried out once Redis answers: ask for the model's status, "
    "or send it again with the same Idempotency-Key."
)

Step = Generator[Ask, Any, StepAnswer]


@dataclass(frozen=True)
class _Turn:
    """What a command holds while it is at work; without a token Redis is away and nothing can be recorded."""

    record: Record | None
    revision: int = 0
    token: str | None = None
    planned: Intent | None = None


def take_command(request: Request, limits: Limits) -> Step:
    """A stop, a start or a reload arrives.

    Returns what to answer; raises StepError where the caller must be told otherwise.

    Where the model is free the commands that come first are done first. Else it is answered that the command is in
    line.
    """
    for _ in range(BEFORE_MINE):
        try:
            claimed: Claimed | InLine = yield Claim(request)
        except StoreUnavailable:
            if not _works_unrecorded(request):
                raise
            return (yield from _attempts(request, _Turn(None), limits))
        if isinstance(claimed, InLine):
            return StepAnswer(202, ahead=claimed.ahead)
        if claimed.answer:
            return claimed.answer
        if claimed.request is None:
            return (yield from _take_turn(request, claimed, limits, heard=True))
        try:
            yield from _take_turn(claimed.request, claimed, limits, heard=False)
        except Exception:  # noqa: BLE001 - another's command failed; it and this one are in line, and are tried again
            break
    return StepAnswer(202, ahead=1)


def take_next(ref: ModelRef, limits: Limits) -> Step:
    """The next command in the model's line, whose sender waits no longer. NOTHING where there is none to begin."""
    claimed: Claimed | None = yield Next(ref)
    if claimed is None or claimed.request is None:
        return NOTHING
    return (yield from _take_turn(claimed.request, claimed, limits, heard=False))


def _take_turn(request: Request, claimed: Claimed, limits: Limits, *, heard: bool) -> Step:
    """The model's turn is this command's. `heard`: its sender waits for the answer, so an error reaches it."""
    expires = request.expires_at or claimed.first_seen + COMMAND_LIFE
    if expires < claimed.now:
        return (yield from _drop(request, claimed, Code.EXPIRED, f"it expired at {expires.isoformat()}"))
    turn = _Turn(claimed.record, claimed.revision, claimed.token, claimed.planned)
    first = claimed.first_seen
    request = request.claimed(claimed.sequence, redelivered=claimed.redelivered, first_seen=first)
    try:
        if not heard and _is_pointless(request, claimed.record):
            raise Superseded  # noqa: TRY301 - as where a look finds it
        return (yield from _attempts(request, turn, limits))
    except Superseded:
        return (yield from _drop(request, claimed, Code.SUPERSEDED, "a later command was already done"))
    except Refused as refusal:
        return (yield from _refuse(request, claimed, refusal, heard=heard))
    except ClusterRefused as refusal:
        if heard:
            yield from _release(request, claimed.token, stays=False)
            raise
        return (yield from _refuse(request, claimed, refusal, heard=False))
    except Exception as error:
        # Unforeseen errors too: the turn goes back at once, and the next command need not wait for the lease's end.
        stays = not heard or (request.by_event and isinstance(error, Temporary))
        released = yield from _release(request, claimed.token, stays=stays)
        if heard and not request.by_event and not released and isinstance(error, StepError):
            error.next_action = MAY_BE_DONE
        raise


def _is_pointless(request: Request, record: Record | None) -> bool:
    """Known without a look: of many commands in line only the last is worth one."""
    return record is not None and request.verb != "reload" and record.sequence > request.sequence


def take_hint(
    ref: ModelRef,
    limits: Limits,
    *,
    object_version: int = 0,
    pods_version: int = 0,
    pinned: bool = False,
    in_passing: bool = False,
) -> Step:
    """Something may have changed: look, and do what is due. The versions are those of the hint's own object.

    A hint no newer than the last look costs nothing beyond the record. Hints never fail for a conflict: whoever was
    faster has looked too. `pinned`: a pin was found whose stop may have died before it could say so. `in_passing`: there
    is no time to wait for a canary prediction; the look that then is due sends it.
    """
    predict: tuple[str, ...] = ()
    unkept: Mapping[str, Prediction] = {}
    for _ in range(ATTEMPTS):
        loaded: Loaded = yield Load(ref)
        record = loaded.record
        if (
            record
            and not predict
            and not unkept
            and (0 < object_version <= record.version or 0 < pods_version <= record.pods_version)
        ):
            return StepAnswer(202)
        seen: Observation = yield Look(ref, pinned=pinned, predict=predict)
        if not seen.exists:
            if seen.pins:
                yield UnpinOwners(ref, tuple(pin.owner for pin in seen.pins))
            yield from end_left(seen)
            yield Commit(ref, loaded.revision, None, audit=_gone(record, seen), forget=True)
            return StepAnswer(202)
        seen = with_brought(seen, unkept)
        unkept = brought(seen)
        decision = decide(record, seen, None, limits, loaded.planned)
        predict = () if in_passing else decision.predict
        if predict:
            decision = replace(decision, record=being_asked(decision.record, predict, seen.observed_at))
        try:
            version = yield from _act(decision, seen)
        except PreconditionFailed:
            continue
        committed: Committed = yield _commit(decision, loaded.revision, version)
        if not committed.conflict:
            unkept = {}
        if committed.conflict or committed.stale:
            predict = ()
        if not (committed.conflict or decision.again or predict):
            return StepAnswer(202, changed=decision.changed)
    return StepAnswer(202)


def _attempts(request: Request, turn: _Turn, limits: Limits) -> Step:
    changed, failed, overtaken = False, 0, 0
    while failed < ATTEMPTS and overtaken < OVERTAKEN:
        seen: Observation = yield Look(request.ref, verb=request.verb)
        refuse_unless_there(seen)
        decision = decide(turn.record, seen, request, limits, turn.planned)
        if decision.intent and turn.token:
            try:
                yield Plan(turn.token, request, decision.intent)
            except StoreUnavailable:
                if not _works_unrecorded(request):
                    raise
                turn = _Turn(turn.record)
        try:
            version = yield from _act(decision, seen)
        except PreconditionFailed:
            failed += 1
            continue
        changed = changed or decision.changed
        answer = _answer(request, decision, changed=changed, recorded=True)
        committed = yield from _record(request, turn, decision, version, answer)
        if committed is None:
            return _answer(request, decision, changed=changed, recorded=False)
        if not (committed.conflict or committed.stale):
            return answer
        overtaken += 1
        loaded: Loaded = yield Load(request.ref)
        turn = _Turn(loaded.record, loaded.revision, turn.token, decision.intent or turn.planned)
    raise Conflict(
        Code.CONFLICT,
        f"{request.ref} kept changing while it was looked at",
        "Ask again. If it goes on, find out who changes its annotations: kubectl get -o yaml --show-managed-fields.",
        retry_after=1,
    )


def _act(decision: Decision, seen: Observation) -> Generator[Ask, Any, int]:
    """Carries out the effects in order; returns the model's newest resourceVersion."""
    version = seen.version
    for effect in decision.effects:
        result = yield effect
        if isinstance(result, int):
            version = result
    return version


def _record(
    request: Request, turn: _Turn, decision: Decision, version: int, answer: StepAnswer
) -> Generator[Ask, Any, Committed | None]:
    """None where nothing could be recorded although the cluster has accepted it: that is said, not undone."""
    if turn.token is None:
        return None
    try:
        committed: Committed = yield _commit(
            decision, turn.revision, version, request=request, token=turn.token, answer=answer
        )
    except StoreUnavailable:
        if request.by_event or not decision.changed:
            raise
        return None
    return committed


def _commit(
    decision: Decision,
    revision: int,
    version: int,
    *,
    request: Request | None = None,
    token: str | None = None,
    answer: StepAnswer | None = None,
) -> Commit:
    record = decision.record.model_copy(update={"version": max(version, decision.record.version)})
    return Commit(
        ref=record.ref,
        expected=revision,
        record=record,
        token=token,
        request=request,
        answer=answer,
        audit=decision.audit,
        facts=decision.facts,
        due=decision.due,
    )


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


def _drop(request: Request, claimed: Claimed, code: Code, why: str) -> Step:
    """A command that is too late: audited, answered, nothing changes.

    Where it took effect before it died, a look has reported that, and the history has its entry.
    """
    known = claimed.record.audited if claimed.record else ()
    told = audit_name(request.verb, request.key) in known
    answer = StepAnswer(202)
    message = f"The {request.verb} was dropped: {why}."
    facts = (_failure(request, code, message, "Send it again if it is still wanted.", claimed.now),)
    yield Commit(
        request.ref,
        claimed.revision,
        None,
        token=claimed.token,
        request=request,
        answer=answer,
        audit=() if told else (_refusal_entry(request, code, message, claimed.now),),
        facts=facts if code is Code.EXPIRED else (),
    )
    return answer


def _refuse(request: Request, claimed: Claimed, refusal: StepError, *, heard: bool) -> Step:
    """Over REST the caller is told and may try the same key again; an event is answered for good, and published.

    A refusal whose caller waits no longer is kept for the next request with the same id.
    """
    entry = _refusal_entry(request, refusal.code, refusal.message, claimed.now)
    answer = StepAnswer(202) if request.by_event else None
    tell = request.by_event or not heard
    fact = _failure(request, refusal.code, refusal.message, refusal.next_action, claimed.now)
    yield Commit(
        request.ref,
        claimed.revision,
        None,
        token=claimed.token,
        request=request,
        answer=answer,
        refusal=None if heard or answer else refusal,
        audit=(entry,),
        facts=(fact,) if tell else (),
    )
    if answer:
        return answer
    if heard:
        raise refusal
    return StepAnswer(refusal.status)


def _failure(request: Request, code: Code, message: str, next_action: str, now: datetime) -> Published:
    fact = ModelFailed(
        actor=request.actor,
        reason=request.command.reason,
        code=code,
        message=message,
        next_action=next_action,
        during=request.verb,
    )
    return publish(request.ref, fact, request.run(now), now)


def _refusal_entry(request: Request, code: Code, message: str, now: datetime) -> AuditEntry:
    return AuditEntry(
        time=now,
        ref=request.ref,
        action=request.verb,
        actor=request.actor,
        claimed_actor=request.claimed_actor,
        code=code,
        reason=request.command.reason,
        message=message,
        source=request.source,
        event_id=request.id,
        correlation_id=request.correlation_id,
    )


def _gone(record: Record | None, seen: Observation) -> tuple[AuditEntry, ...]:
    if record is None:
        return ()
    return (AuditEntry(seen.observed_at, seen.ref, "deleted", "external:unknown", previous=record.state),)


def _release(request: Request, token: str, *, stays: bool) -> Generator[Ask, Any, bool]:
    """Whether the claim was given back."""
    try:
        yield Release(token, request, stays)
    except Temporary:
        return False
    return True
