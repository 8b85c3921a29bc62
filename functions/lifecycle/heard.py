"""What pods, and a graph's members, were last heard to say: a prober that can't ask does not unsay what another one
heard.

Several processes ask: the timer's, those of notifications, the API's. Where a network lets one of them reach the pods
and another not, each look would else turn the state over, with an event for each turn.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from events.model import Frozen
from events.status import State
from functions.lifecycle.observation import Answered, Member, Observation, Pod, PodAnswer

HELD_FOR = timedelta(minutes=5)
"""Several times what a resync of a large cluster takes: each process that can ask has asked again by then."""

NOTED_AGAIN_AFTER = HELD_FOR / 2
"""An answer that repeats an earlier one is noted with its new time only then: a record that changed with each look
would be written at each."""

MOST_KEPT = 100
_LONGEST_DETAIL = 300


class Heard(Frozen):
    """Of one pod, whose containers had been restarted so many times.

    `at`: when it was heard, not when it was held on to.
    """

    what: Answered
    at: datetime
    detail: str = ""
    own_protocol: bool = False
    restarts: int = 0


class HeardMember(Frozen):
    """Of one model that a graph sends requests to."""

    state: State
    at: datetime
    message: str | None = None


H = TypeVar("H", Heard, HeardMember)


def with_heard(seen: Observation, pods: Mapping[str, Heard], members: Mapping[str, HeardMember]) -> Observation:
    """The look, with what was heard before in the place of each answer `could not ask` and of each
    that did not come.
    """
    if not pods and not members:
        return seen
    return replace(
        seen,
        pods=tuple(_with_pods_own(pod, pods.get(pod.uid), seen.observed_at) for pod in seen.pods),
        members=tuple(_with_members_own(one, members.get(one.ref.subject), seen.observed_at) for one in seen.members),
    )


def heard_of_pods(seen: Observation, before: Mapping[str, Heard]) -> dict[str, Heard]:
    """By uid: what each pod of the look said, now or before. Nothing of a model that is to stop: it is not asked."""
    if seen.stop_wanted:
        return {}
    telling = [(pod, pod.answer) for pod in seen.pods if pod.answer and _tells(pod.answer)]
    found = {pod.uid: _heard(pod, answer, seen.observed_at) for pod, answer in telling[:MOST_KEPT]}
    return {uid: _noted(heard, before.get(uid)) for uid, heard in found.items()}


def heard_of_members(seen: Observation, before: Mapping[str, HeardMember]) -> dict[str, HeardMember]:
    """By subject, as heard_of_pods."""
    found = {
        member.ref.subject: HeardMember(
            state=member.state,
            at=member.heard_at or seen.observed_at,
            message=member.message and member.message[:_LONGEST_DETAIL],
        )
        for member in [member for member in seen.members if not member.unverified][:MOST_KEPT]
    }
    return {subject: _noted(heard, before.get(subject)) for subject, heard in found.items()}


def _noted(heard: H, before: H | None) -> H:
    """The one that was noted before, as long as it says the same and is not old."""
    if before is None or heard.at - before.at > NOTED_AGAIN_AFTER:
        return heard
    return before if before == heard.model_copy(update={"at": before.at}) else heard


def _heard(pod: Pod, answer: PodAnswer, now: datetime) -> Heard:
    return Heard(
        what=answer.what,
        at=answer.heard_at or now,
        detail=answer.detail[:_LONGEST_DETAIL],
        own_protocol=answer.own_protocol,
        restarts=pod.restarts,
    )


def _with_pods_own(pod: Pod, heard: Heard | None, now: datetime) -> Pod:
    """A container that was restarted is another server, which was not heard yet."""
    if heard is None or heard.restarts != pod.restarts or not pod.ready or now - heard.at > HELD_FOR:
        return pod
    if pod.answer and (pod.answer.what is not Answered.UNASKABLE or not _tells_more(heard, pod.answer)):
        return pod
    return replace(pod, answer=PodAnswer(heard.what, heard.detail, heard.own_protocol, heard_at=heard.at))


def _tells_more(heard: Heard, answer: PodAnswer) -> bool:
    return heard.what is not Answered.UNASKABLE or not answer.own_protocol


def _tells(answer: PodAnswer) -> bool:
    """Also that it was reached and speaks a protocol of its own."""
    return answer.what is not Answered.UNASKABLE or answer.own_protocol


def _with_members_own(member: Member, heard: HeardMember | None, now: datetime) -> Member:
    if heard is None or not member.unverified or now - heard.at > HELD_FOR:
        return member
    return replace(member, state=heard.state, message=heard.message, unverified=False, heard_at=heard.at)
