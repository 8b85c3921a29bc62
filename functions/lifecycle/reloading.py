"""What a reload comes to: once per digest, in as few restarts as many writes allow, and verified before it is told.

How: an annotation with the digest rolls a predictor's pods once and changes nothing else (ADR 9). An LLMInferenceService
hands no annotation on, so its pods are replaced one at a time. `replace` is a stop with a start waiting behind it.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from events.artifact import Strategy
from events.commands import ReloadRequested, StopRequested
from events.facts import ModelFailed, ModelReloaded
from events.model import Kind
from events.status import Hold, HoldKind, LoadedArtifact, State
from functions.lifecycle.command_key import split_key
from functions.lifecycle.decision import Decision, asked, run_entry, to_be_audited
from functions.lifecycle.effects import Action, DeletePod, Effect
from functions.lifecycle.handover import answers, keep_old_pods, settled
from functions.lifecycle.observation import DIGEST_ANNOTATION, Answer, Answered, Mode, Observation, Pod
from functions.lifecycle.observe import publish
from functions.lifecycle.patches import digest_patch
from functions.lifecycle.reasons import Reason, advice
from functions.lifecycle.record import Intent, QueuedReload, Record, Reload, Run, Wanted
from functions.lifecycle.refusals import refuse_reload
from functions.lifecycle.reload_seen import digest_of, value_for
from functions.lifecycle.request import Request
from functions.lifecycle.scene import Limits
from functions.lifecycle.start_deadline import start_clock, start_deadline, visibly_loading
from functions.lifecycle.state_messages import count_pods
from functions.lifecycle.stop_note import QueuedStart
from functions.lifecycle.stopping import Stopping, begin_stop, finish_grace, is_resumed
from functions.lifecycle.verification import SETTLING

TOGETHER = timedelta(seconds=60)
"""Digests that come within this time after a reload end in one more reload, with the last of them."""
_OWN_ADVICE = frozenset({"ModelMissing", "SmokeTestFailed", "FailedAttachVolume", "FailedMount", "VolumeInUse"})
"""Where another artifact would not help."""
_ROUTE_TAKES = timedelta(seconds=3)
_WAY_BACK = "Write an artifact that loads and publish artifact.written: it is then loaded. Until then a pod that still runs serves."


def take_reload(
    known: Decision, seen: Observation, request: Request, command: ReloadRequested, planned: Intent | None
) -> Decision:
    if is_resumed(seen, request):
        return asked(replace(finish_grace(known, seen), changed=True), seen, request)
    refuse_reload(seen, command)
    artifact, record = command.artifact, known.record
    wanted = Wanted(
        uri=artifact.uri,
        digest=artifact.digest,
        value=value_for(artifact.digest, seen.digest),
        complete=artifact.complete,
        strategy=command.strategy,
        before=_one_by_one(seen),
    )
    run = request.run(seen.observed_at)
    if planned and planned.run.key == request.key and planned.wanted and planned.wanted.value == seen.digest:
        note = _starts_with(record, artifact.digest) if seen.stop_wanted else None
        return asked(replace(_alone(replace(known, note=note), request), changed=True), seen, request)
    if seen.stop_wanted:
        decision = _for_the_next_start(known, seen, wanted)
        intent = Intent(
            verb="reload",
            at=seen.observed_at,
            run=run,
            sequence=record.sequence,
            by_event=request.by_event,
            wanted=wanted,
        )
        return asked(replace(decision, intent=intent if decision.effects else None), seen, request)
    if _has(seen, record, artifact.digest):
        in_progress = record.reload is not None
        note = f"It {'is loading' if in_progress else 'was told to load'} {artifact.digest} already."
        return asked(_alone(replace(known, note=note), request), seen, request)
    if due := _later(record, seen, command):
        return asked(_queue(known, request, run, wanted, due), seen, request)
    decision = _begin(_alone(known, request), seen, run, wanted)
    if warning := _claim_warning(seen, wanted):
        message = f"{decision.record.message} {warning}"
        note = f"{decision.note} {warning}" if decision.note else warning
        decision = replace(decision, record=decision.record.model_copy(update={"message": message}), note=note)
    if decision.intent:
        decision = replace(decision, intent=decision.intent.model_copy(update={"by_event": request.by_event}))
    return asked(decision, seen, request)


def follow_reload(known: Decision, seen: Observation, limits: Limits) -> Decision:
    """What a look says of the reload in progress, and of the one that waits behind it."""
    if known.effects or known.again:
        return known
    queued = known.record.queued_reload
    if seen.stop_wanted:
        return _for_the_next_start(known, seen, queued.wanted) if queued else known
    if known.record.reload:
        noticed = _new_pods(known, seen, known.record.reload)
        return _judged(noticed, seen, known.record.reload, limits)
    if queued is None or queued.due > seen.observed_at:
        return known
    record = to_be_audited(known.record.model_copy(update={"queued_reload": None}), "reload", queued.run.key)
    after = replace(known, record=record)
    if _has(seen, known.record, queued.wanted.digest):
        return after
    wanted = queued.wanted.model_copy(
        update={"value": value_for(queued.wanted.digest, seen.digest), "before": _one_by_one(seen)}
    )
    begun = _begin(after, seen, queued.run.model_copy(update={"since": seen.observed_at}), wanted)
    entry = run_entry(begun.record, seen, Action.RELOAD, queued.run, changed=True)
    return replace(begun, audit=(*begun.audit, entry))


def _has(seen: Observation, record: Record, digest: str) -> bool:
    """Told to load it once is enough, unless a server was up before the artifact, and so is without it."""
    if seen.digest is None or digest_of(seen.digest) != digest or record.reason == Reason.MODEL_MISSING:
        return False
    new = [pod for pod in seen.pods if not pod.deleting and pod.digest == seen.digest]
    return record.reload is not None or not any(_is_without_it(seen, pod) for pod in new)


def _is_without_it(seen: Observation, pod: Pod) -> bool:
    up_for = seen.observed_at - (pod.ready_since or seen.observed_at)
    return pod.ready and pod.answer is not None and pod.answer.what is Answered.MISSING and up_for >= SETTLING


def _alone(known: Decision, request: Request) -> Decision:
    """Without the reload that waits: it was told of before this one, which is to be the last. A redelivery may be older."""
    queued = known.record.queued_reload
    if queued is None or queued.sequence > request.sequence:
        return known
    record = known.record.model_copy(update={"queued_reload": None})
    dropped = f"{queued.wanted.digest}, which waited, is not loaded: this one was reported after it."
    return replace(known, record=record, changed=True, note=f"{known.note} {dropped}" if known.note else dropped)


def _claim_warning(seen: Observation, wanted: Wanted) -> str | None:
    """A volume that one node has can't be attached where the new pod may be placed, while the old pod keeps it."""
    if wanted.strategy is Strategy.REPLACE or wanted.before or not seen.narrow_claims:
        return None
    return (
        f"The claim {seen.narrow_claims[0].name} is ReadWriteOnce: where the new pod is placed on another node than the old one, "
        'it waits for the volume (FailedAttachVolume); reload with {"strategy": "replace"} then.'
    )


def _one_by_one(seen: Observation) -> tuple[str, ...]:
    if seen.ref.kind is not Kind.LLM_INFERENCE_SERVICE:
        return ()
    return tuple(pod.uid for pod in seen.pods if pod.serves and not pod.deleting)


def _for_the_next_start(known: Decision, seen: Observation, wanted: Wanted) -> Decision:
    """A stopped model has no pod that the annotation could restart."""
    note = _starts_with(known.record, wanted.digest)
    record = known.record.model_copy(update={"queued_reload": None})
    if seen.digest and digest_of(seen.digest) == wanted.digest:
        return replace(known, record=record, note=note)
    value = value_for(wanted.digest, seen.digest)
    record = record.model_copy(update={"digest": value})
    return replace(known, record=record, effects=(digest_patch(seen, value),), changed=True, note=note)


def _starts_with(record: Record, digest: str) -> str:
    return f"It is {record.state}; it starts with {digest}."


def _later(record: Record, seen: Observation, command: ReloadRequested) -> datetime | None:
    """When to do it, where not at once: after a reload that was just done, and once no more parts come."""
    waits = []
    if record.reloads_since and seen.observed_at - record.reloads_since < TOGETHER:
        waits.append(record.reloads_since + TOGETHER)
    if command.settle is not None:
        waits.append(seen.observed_at + timedelta(seconds=command.settle))
    return max(waits, default=None)


def _queue(known: Decision, request: Request, run: Run, wanted: Wanted, due: datetime) -> Decision:
    """The last one wins, in the order in which they first came."""
    waiting = known.record.queued_reload
    if waiting and waiting.sequence > request.sequence:
        return replace(known, note=f"{waiting.wanted.digest}, which was reported after it, waits to be loaded.")
    queued = QueuedReload(run=run, wanted=wanted, due=due, sequence=request.sequence)
    note = f"{wanted.digest} is loaded at {due:%H:%M:%S} UTC, together with what else is written until then."
    record = known.record.model_copy(update={"queued_reload": queued})
    return replace(known, record=record, changed=True, note=note)


def _begin(known: Decision, seen: Observation, run: Run, wanted: Wanted) -> Decision:
    now = seen.observed_at
    intent = Intent(verb="reload", at=now, run=run, sequence=known.record.sequence, wanted=wanted)
    begun = {"reload": Reload(run=run, wanted=wanted), "digest": wanted.value, "reloads_since": now}
    if wanted.strategy is Strategy.REPLACE:
        stopped = begin_stop(known, seen, _replacing(known.record, seen, run, wanted))
        return replace(stopped, record=stopped.record.model_copy(update=begun), intent=intent)
    effects: list[Effect] = [*keep_old_pods(seen), digest_patch(seen, wanted.value)]
    before = [pod for pod in seen.pods if pod.uid in wanted.before]
    effects += _replace_one(seen, before, before)
    update = {**begun, "reason": Reason.RELOADING, "message": f"The reload of {wanted.uri} is accepted."}
    if known.record.state is not State.RUNNING:
        update |= {"state": State.STARTING, "since": now}
    record = known.record.model_copy(update=update)
    return replace(known, record=record, effects=tuple(effects), changed=True, intent=intent)


def _replacing(record: Record, seen: Observation, run: Run, wanted: Wanted) -> Stopping:
    source, command_id = split_key(run.key)
    reason = run.reason or f"to load {wanted.digest}"
    return Stopping(
        command=StopRequested(),
        hold=Hold(
            kind=HoldKind.ROTATION,
            actor=run.actor,
            claimed_actor=run.claimed_actor,
            reason=reason,
            since=seen.observed_at,
        ),
        source=source,
        id=command_id,
        sequence=record.sequence,
        correlation_id=run.correlation_id,
        queued=QueuedStart(
            source=source,
            id=command_id,
            actor=run.actor,
            claimed_actor=run.claimed_actor,
            reason=reason,
            correlation_id=run.correlation_id,
        ),
        others={DIGEST_ANNOTATION: wanted.value},
    )


def _new_pods(known: Decision, seen: Observation, reload: Reload) -> Decision:
    """A step of its own in the history, with the time when the pod was made: what comes after it is loading."""
    new = [pod for pod in seen.pods if pod.serves and reload.made(pod)]
    if reload.new_pods or not new:
        return known
    made = min((pod.created for pod in new if pod.created), default=seen.observed_at)
    message = f"{count_pods(len(new))} to load {reload.wanted.digest}."
    entry = run_entry(known.record, seen, Action.RELOAD_PODS, reload.run, message=message)
    entry = replace(entry, time=min(max(made, reload.run.since or made), seen.observed_at))
    record = known.record.model_copy(update={"reload": reload.model_copy(update={"new_pods": True})})
    return replace(known, record=record, audit=(*known.audit, entry))


def _judged(known: Decision, seen: Observation, reload: Reload, limits: Limits) -> Decision:
    up = [pod for pod in seen.pods if pod.serves and not pod.deleting and not pod.finished]
    new = [pod for pod in up if reload.made(pod)]
    old = [pod for pod in up if not reload.made(pod)]
    if failure := _failure(known.record, seen, new, reload, limits):
        return _failed(known, seen, reload, *failure)
    every = all(settled(known.record, seen, pod) for pod in new)
    if every and (not old or _routed_to(new, seen)) and (new or _idle(seen)):
        return _done(known, seen, reload)
    if every and new and reload.wanted.before and not any(pod.deleting for pod in seen.pods):
        return replace(known, effects=_replace_one(seen, old, up))
    return known


def _replace_one(seen: Observation, old: list[Pod], up: list[Pod]) -> tuple[DeletePod, ...]:
    """The next old pod to go: one that serves no request, else one whose role keeps another that serves."""

    def serves(pod: Pod) -> bool:
        asleep = pod.answer is not None and pod.answer.what is Answered.ASLEEP
        return pod.ready and not asleep and (pod.answer is None or answers(pod))

    for pod in sorted(old, key=serves):
        if not serves(pod) or any(serves(other) for other in up if other.component == pod.component and other != pod):
            return (DeletePod(seen.ref, pod.name, pod.uid),)
    return ()


def _routed_to(new: list[Pod], seen: Observation) -> bool:
    """In Knative mode the old revision's pods stay for a minute after the last request was sent to them."""
    if seen.mode is not Mode.KNATIVE or seen.ready is not Answer.TRUE:
        return False
    return bool(new) and all(seen.observed_at - (pod.ready_since or seen.observed_at) >= _ROUTE_TAKES for pod in new)


def _idle(seen: Observation) -> bool:
    return seen.may_scale_to_zero and seen.ready is Answer.TRUE


def _failure(
    record: Record, seen: Observation, new: list[Pod], reload: Reload, limits: Limits
) -> tuple[str, str] | None:
    """(code, message) where the new pods will not serve as they are."""
    for pod in new:
        if pod.crashed:
            return pod.trouble.reason if pod.trouble else Reason.MODEL_LOAD_FAILED, f"{pod.name}: {pod.crashed}"
        if pod.answer and _is_without_it(seen, pod):
            return Reason.MODEL_MISSING, f"{pod.name}: {pod.answer.detail}"
        if (tried := record.smoke_tests.get(pod.uid)) and tried.failed:
            return Reason.SMOKE_TEST_FAILED, tried.said
    if new and record.state is State.ERROR and record.reason:
        return record.reason, record.message or record.reason
    elapsed = seen.observed_at - start_clock(reload.run.since or seen.observed_at, new)
    deadline = start_deadline(seen, record, limits.start_deadline)
    if elapsed > (deadline.while_loading if visibly_loading(new) else deadline.after):
        late = f"not loaded after {elapsed.total_seconds():.0f}s"
        if cause := next(((pod, pod.trouble) for pod in new if pod.trouble), None):
            return cause[1].reason, f"{late}; {cause[0].name}: {cause[1].message}"
        return Reason.START_DEADLINE_EXCEEDED, late
    return None


def _done(known: Decision, seen: Observation, reload: Reload) -> Decision:
    now, run, wanted = seen.observed_at, reload.run, reload.wanted
    seconds = round((now - run.since).total_seconds(), 3) if run.since else None
    event = ModelReloaded(actor=run.actor, reason=run.reason, uri=wanted.uri, digest=wanted.digest, seconds=seconds)
    loaded = LoadedArtifact(uri=wanted.uri, digest=wanted.digest, complete=wanted.complete, at=now, seconds=seconds)
    plain = known.record.reason == Reason.RELOADING
    update = {"reload": None, "loaded": loaded, **({"reason": None, "message": None} if plain else {})}
    return _told(replace(known, record=known.record.model_copy(update=update)), seen, run, event, Action.RELOADED)


def _failed(known: Decision, seen: Observation, reload: Reload, code: str, message: str) -> Decision:
    event = ModelFailed(
        actor=reload.run.actor,
        reason=reload.run.reason,
        code=code,
        message=f"{reload.wanted.uri} ({reload.wanted.digest}) was not loaded: {message}",
        next_action=advice(code) if code in _OWN_ADVICE else _WAY_BACK,
        during="reload",
    )
    record = known.record.model_copy(update={"reload": None})
    return _told(replace(known, record=record), seen, reload.run, event, Action.RELOAD_FAILED)


def _told(known: Decision, seen: Observation, run: Run, event: ModelReloaded | ModelFailed, action: str) -> Decision:
    message = event.message if isinstance(event, ModelFailed) else f"{event.digest} answers after {event.seconds}s."
    entry = run_entry(known.record, seen, action, run, message=message)
    events = (*known.events, publish(seen.ref, event, run, seen.observed_at))
    return replace(known, events=events, audit=(*known.audit, entry))
