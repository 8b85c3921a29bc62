"""A model of the world that a step lives in: cluster, store and time, small enough to try everything.

It carries out the asks of the very step that production runs. `crash_before` ends a step before its n-th ask, as
kill -9 would.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asks as ask
from asks import Step, take_command, take_notification
from builders import LIMITS, NOW, REF, a_pod, patched, terminating

from functions.lifecycle.errors import Code, PreconditionFailed, StepError, StoreUnavailable, Temporary
from functions.lifecycle.observation import Answer, Mode, Observation, Pin, Pod
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.request import Request
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, StopNote


@dataclass
class Seen:
    state: str
    token: str
    sequence: int
    first: datetime
    answer: ask.StepAnswer | None = None


@dataclass
class World:
    annotations: dict[str, str] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=lambda: [a_pod()])
    said_stopped: bool = False
    pinned: bool = False
    exists: bool = True
    version: int = 10
    now: datetime = NOW
    redis: bool = True
    record: Record | None = None
    revision: int = 0
    sequence: int = 0
    plan: Intent | None = None
    busy: str | None = None
    seen: dict[str, Seen] = field(default_factory=dict)
    events: list[ask.Published] = field(default_factory=list)
    audit: list[ask.AuditEntry] = field(default_factory=list)
    patches: list[str] = field(default_factory=list)
    tokens: int = 0

    @property
    def stop_wanted(self) -> bool:
        return self.annotations.get("serving.kserve.io/stop") == "true"

    def command(self, request: Request, crash_before: int = 0) -> ask.StepAnswer | StepError | None:
        return self.run(take_command(request, LIMITS), crash_before)

    def notification(self, crash_before: int = 0) -> ask.StepAnswer | StepError | None:
        return self.run(take_notification(REF, LIMITS, pinned=True), crash_before)

    def run(self, step: Step, crash_before: int = 0) -> ask.StepAnswer | StepError | None:
        """The answer; the error that the caller would see; None where the step crashed."""
        asked = 0
        try:
            wanted = ask.begin(step)
            while True:
                asked += 1
                if asked == crash_before:
                    self.busy = None
                    for seen in self.seen.values():
                        seen.state = "released" if seen.state == "pending" else seen.state
                    return None
                try:
                    result = self._carry_out(wanted)
                except (StepError, PreconditionFailed) as error:
                    wanted = step.throw(error)
                else:
                    wanted = step.send(result)
        except StopIteration as stop:
            return stop.value
        except StepError as error:
            return error

    def kserve(self) -> None:
        """KServe and the kubelet do what the annotation asks, a bit at a time."""
        self._touch()
        if self.stop_wanted:
            self.said_stopped = True
            if not self.pinned:
                ended = [pod for pod in self.pods if not pod.deleting]
                self.pods = [terminating(pod) for pod in ended]
        else:
            self.said_stopped = False
            self.pods = [pod for pod in self.pods if not pod.deleting] or [a_pod(f"pod-{self.version}")]

    def toggle_outside(self) -> None:
        """Another actor uses KServe's annotation, as kubectl annotate does."""
        if self.stop_wanted:
            del self.annotations["serving.kserve.io/stop"]
        else:
            self.annotations["serving.kserve.io/stop"] = "true"
        self._touch()

    def settle(self) -> None:
        """Time passes until nothing moves any more."""
        for _ in range(6):
            self.kserve()
            self.now += timedelta(seconds=2)
            self.notification()

    def look(self) -> Observation:
        up = [pod for pod in self.pods if not pod.deleting]
        return Observation(
            ref=REF,
            observed_at=self.now,
            exists=self.exists,
            uid="model-1",
            version=self.version,
            pods_version=self.version,
            annotations=dict(self.annotations),
            mode=Mode.STANDARD,
            ready=Answer.TRUE if up and not self.said_stopped else Answer.FALSE,
            ready_reason="Stopped" if self.said_stopped else None,
            stopped_condition=Answer.TRUE if self.said_stopped else Answer.FALSE,
            url="http://scorer.example.com" if up else None,
            stop_note=StopNote.parse(self.annotations.get(STOP_NOTE_ANNOTATION)),
            pods=tuple(self.pods),
            pins=(Pin(a_pod().owner, self.stop_wanted),) if self.pinned else (),
        )

    def _touch(self) -> None:
        self.version += 1

    def _carry_out(self, wanted: ask.Ask) -> Any:
        match wanted:
            case ask.Look():
                return self.look()
            case ask.PatchModel():
                return self._patch(wanted)
            case ask.PinOwners():
                self.pinned = True
            case ask.UnpinOwners():
                self.pinned = False
            case ask.EndPods():
                self.pods = [pod if pod.deleting else terminating(pod, wanted.grace) for pod in self.pods]
                self.pinned = False
                self._touch()
            case _:
                if not self.redis:
                    raise StoreUnavailable("away")
                return self._store(wanted)
        return None

    def _patch(self, wanted: ask.PatchModel) -> int:
        try:
            self.annotations = patched(self.annotations, wanted.operations)
        except AssertionError as error:
            raise PreconditionFailed(str(error)) from error
        self.patches.append("stop" if self.stop_wanted else "start")
        self._touch()
        return self.version

    def _store(self, wanted: ask.Ask) -> Any:
        match wanted:
            case ask.Claim(request):
                return self._claim(request)
            case ask.Load():
                return ask.Loaded(self.record, self.revision, self.plan)
            case ask.Plan():
                self.plan = wanted.intent
            case ask.Release(token, request):
                self._commit(ask.Commit(REF, 0, None, token=token, request=request))
            case ask.Commit():
                return self._commit(wanted)
        return None

    def _claim(self, request: Request) -> ask.Claimed:
        self.tokens += 1
        token = f"token-{self.tokens}"
        known = self.seen.get(request.key)
        if known and known.answer:
            return ask.Claimed(self.now, token, None, 0, self.now, answer=known.answer)
        if self.busy or (known and known.state == "pending"):
            raise Temporary(Code.BUSY, "busy", "again", retry_after=1)
        if known is None:
            self.sequence = max(self.sequence + 1, round(self.now.timestamp() * 1000))
        sequence = known.sequence if known else self.sequence
        first = known.first if known else self.now
        self.seen[request.key] = Seen("pending", token, sequence, first)
        self.busy = token
        return ask.Claimed(
            now=self.now,
            token=token,
            record=self.record,
            revision=self.revision,
            first_seen=first,
            sequence=sequence,
            redelivered=known is not None,
            planned=self.plan,
        )

    def _commit(self, wanted: ask.Commit) -> ask.Committed:
        seen = self.seen[wanted.request.key] if wanted.request else None
        if wanted.token and (seen is None or seen.token != wanted.token or seen.state != "pending"):
            raise StoreUnavailable("lost")
        if wanted.record:
            if wanted.expected != self.revision:
                return ask.Committed(conflict=True)
            if self.record and wanted.record.version < self.record.version:
                return ask.Committed(stale=True)
            self.record, self.revision = wanted.record, self.revision + 1
        if seen:
            seen.state, seen.answer = ("done", wanted.answer) if wanted.answer else ("released", None)
            self.busy, self.plan = None, None if wanted.answer and wanted.record else self.plan
        self.events.extend(wanted.events)
        self.audit.extend(wanted.audit)
        return ask.Committed()
