"""Whether a model answers for itself. KServe's Ready does not say so: a server may be up without its model.

What the pods were asked, and said, decides; see functions/adapters/probe.py for how they are asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from events.model import Kind
from events.status import State
from functions.lifecycle.observation import Answered, Observation, Pod, PodAnswer
from functions.lifecycle.prediction import Outcome
from functions.lifecycle.reasons import Reason
from functions.lifecycle.record import Record
from functions.lifecycle.smoke_test import smoke_test_of, takes_smoke_test

SETTLING = timedelta(seconds=5)
"""A server that is just up may list its model a moment later (MLServer does)."""
UNANSWERED_AT_MOST = timedelta(seconds=10)
BUSY_AT_MOST = timedelta(seconds=60)
"""How long a server that has answered before may be too busy to answer."""


class Verified(Enum):
    """YES: it answers. ASLEEP: it would, once woken. UNASKABLE: it can't be asked. NOT_YET: perhaps in a moment. The rest: it
    does not.
    """

    YES = auto()
    ASLEEP = auto()
    UNASKABLE = auto()
    NOT_YET = auto()
    MISSING = auto()
    SMOKE_TEST = auto()
    UNANSWERED = auto()
    MEMBERS = auto()


@dataclass(frozen=True)
class Verification:
    """`detail` is for a person: which pod, what it was asked, what it said."""

    verified: Verified
    detail: str = ""


def verify(seen: Observation, record: Record, ready: Sequence[Pod]) -> Verification:
    """From the ready pods of one look. A look that asked no pod, or got no answer in time, keeps what was known.

    Each role of an LLMInferenceService counts for itself: decoding pods can't stand in for prefilling ones that are silent.
    """
    if seen.ref.kind is Kind.INFERENCE_GRAPH:
        return _members(seen)
    servers = [pod for pod in ready if pod.serves]
    if not servers:
        return Verification(Verified.UNASKABLE, "no container of its pods is known to serve a model")
    found = [_role(seen, record, pods) for pods in by_role(servers)]
    return min(found, key=lambda one: _WORST_FIRST.index(one.verified))


_WORST_FIRST = (
    Verified.MISSING,
    Verified.SMOKE_TEST,
    Verified.UNANSWERED,
    Verified.NOT_YET,
    Verified.ASLEEP,
    Verified.UNASKABLE,
    Verified.YES,
)


def by_role(pods: Sequence[Pod]) -> list[list[Pod]]:
    """The pods of each component: they stand in for each other."""
    return [[pod for pod in pods if pod.component == role] for role in sorted({pod.component for pod in pods})]


def _role(seen: Observation, record: Record, servers: Sequence[Pod]) -> Verification:
    asked = [pod for pod in servers if pod.answer]
    if not asked:
        return Verification(_as_before(record), "its pods were not asked yet")
    if smoke_test_of(seen) and (takers := [pod for pod in asked if takes_smoke_test(pod)]):
        return _by_smoke_test(takers, record)
    pod, answer, verdict = _best_of(asked)
    return Verification(_timely(verdict, pod, seen, record), f"{pod.name}: {answer.detail}")


_ORDER = {
    Answered.LOADED: Verified.YES,
    Answered.ASLEEP: Verified.ASLEEP,
    Answered.LOADING: Verified.NOT_YET,
    Answered.MISSING: Verified.MISSING,
    Answered.UNANSWERED: Verified.UNANSWERED,
    Answered.UNASKABLE: Verified.UNASKABLE,
}
"""Of several pods of one role the first decides: one that can't be asked hides none that says something."""


def _best_of(asked: Sequence[Pod]) -> tuple[Pod, PodAnswer, Verified]:
    ranks = list(_ORDER)
    answered = [(pod, pod.answer) for pod in asked if pod.answer]
    pod, answer = min(answered, key=lambda one: ranks.index(one[1].what))
    return pod, answer, _ORDER[answer.what]


def _by_smoke_test(takers: Sequence[Pod], record: Record) -> Verification:
    """One pod that answers it is enough, as one that has its model is. Until one was asked, what was known before holds."""
    tries = {pod.uid: record.smoke_tests.get(pod.uid) for pod in takers}
    known = {tried.outcome: tried for tried in tries.values() if tried}
    if Outcome.GOOD in known:
        return Verification(Verified.YES)
    if None in tries.values() or Outcome.NOT_ASKED in known:
        return Verification(_as_before(record), "its smoke test was not sent yet")
    if tried := known.get(Outcome.UNREACHED):
        return Verification(Verified.UNASKABLE, f"its smoke test could not be sent: {tried.next or tried.said}")
    tried = known.get(Outcome.UNUSABLE) or known[Outcome.BAD]
    return Verification(Verified.SMOKE_TEST, f"{tried.said}. {tried.next}".removesuffix(" ").removesuffix("."))


def _as_before(record: Record) -> Verified:
    told: dict[str | None, Verified] = {Reason.UNVERIFIED: Verified.UNASKABLE, Reason.ASLEEP: Verified.ASLEEP}
    kept = told.get(record.reason, Verified.YES)
    return {State.RUNNING: kept, State.UNKNOWN: Verified.UNASKABLE, None: Verified.UNASKABLE}.get(
        record.state, Verified.NOT_YET
    )


def _timely(verdict: Verified, pod: Pod, seen: Observation, record: Record) -> Verified:
    """A bad answer counts only once it had time to be a good one."""
    up_for = seen.observed_at - (pod.ready_since or seen.observed_at)
    to_be_replaced = record.reload is not None and not record.reload.made(pod)
    if verdict is Verified.MISSING and (up_for < SETTLING or to_be_replaced):
        return Verified.NOT_YET
    if verdict is Verified.UNANSWERED:
        silent_for = seen.observed_at - (record.unanswered_since or seen.observed_at)
        if record.state in {State.RUNNING, State.UNKNOWN, None}:
            return verdict if silent_for > BUSY_AT_MOST else Verified.UNASKABLE
        return verdict if silent_for > UNANSWERED_AT_MOST else Verified.NOT_YET
    return verdict


def is_silent(seen: Observation) -> bool:
    """Whether ready servers of a role were asked, and silence is all that tells something of them."""
    asked = [pod for pod in seen.pods if pod.ready and pod.serves and pod.answer]
    return any(_best_of(pods)[2] is Verified.UNANSWERED for pods in by_role(asked))


def _members(seen: Observation) -> Verification:
    down = [member for member in seen.members if member.state is not State.RUNNING]
    if not down:
        return Verification(Verified.YES)
    listed = ", ".join(f"{member.ref.name} is {member.state}" for member in down[:5])
    changing = all(member.state is State.STARTING for member in down)
    return Verification(Verified.NOT_YET if changing else Verified.MEMBERS, listed)
