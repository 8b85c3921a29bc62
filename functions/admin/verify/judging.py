"""Whether what KServe says of a model is what its pods and a prediction say. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.kserve.notes import NoteState
from functions.admin.verify.leaving import Leaving, leaving
from functions.admin.verify.readiness import Advice, advice
from functions.admin.verify.sighting import Sighting
from functions.lifecycle.derive import Verdict, derive
from functions.lifecycle.observation import Answer, Answered, Observation, Pod, PodAnswer
from functions.lifecycle.prediction import Outcome, Prediction
from functions.lifecycle.reasons import Reason
from functions.lifecycle.reasons import advice as what_next
from functions.lifecycle.record import Record
from functions.lifecycle.scene import Limits
from functions.lifecycle.smoke_test import without_smoke_test
from functions.lifecycle.verification import SETTLING

_WORDS = {
    Answered.LOADED: "loaded",
    Answered.ASLEEP: "asleep",
    Answered.MISSING: "missing",
    Answered.LOADING: "loading",
    Answered.UNANSWERED: "unanswered",
    Answered.UNASKABLE: "cannot be asked",
}
_BY_HAND = (
    "Without modelswitch in the cluster: once the artifact is there, "
    "kubectl annotate inferenceservice -n {namespace} {name} modelswitch.dev/artifact-digest=$(date +%s) --overwrite "
    "gives it a new pod (a rollout restart of its Deployment does nothing: KServe reverts it)."
)


class Standing(StrEnum):
    """The verdict. DIFFERS: KServe says Ready, and the pods or the prediction do not. ERROR: KServe says itself that it
    does not come up. IDLE, ASLEEP and UNVERIFIED are no difference, and no proof either.
    """

    ANSWERS = "answers"
    DIFFERS = "DIFFERS"
    STARTING = "starting"
    ERROR = "error"
    ABSENT = "not there"
    UNVERIFIED = "unverified"
    IDLE = "scaled to zero"
    ASLEEP = "asleep"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Row:
    """One model's line: three who say something, the verdict, and why. `probe`: what would have told the truth. `leaving`:
    what would let its pods end unnoticed. `note`: whether the stop annotation of a stopped model is signed. `forbidden`:
    its pods could not be asked because a right is missing, so nothing is known of it, however well the rest is.
    """

    ref: ModelRef
    kserve: str
    pods: str
    prediction: Prediction
    standing: Standing
    what: str | None = None
    next: str | None = None
    probe: Advice | None = None
    leaving: Leaving | None = None
    note: NoteState | None = None
    forbidden: bool = False

    @property
    def wrong(self) -> bool:
        """Decides the exit code."""
        return self.standing in {Standing.DIFFERS, Standing.ABSENT}

    @property
    def settled(self) -> bool:
        """Whether waiting for it is over."""
        return not self.wrong and self.standing not in {Standing.STARTING, Standing.ERROR}


def judge(sighting: Sighting) -> Row:
    seen, prediction = sighting.seen, sighting.prediction
    standing, what, following = _standing(sighting)
    return Row(
        ref=sighting.ref,
        kserve=kserve_says(seen),
        pods=pods_say(seen),
        prediction=prediction,
        standing=standing,
        what=what,
        next=following,
        probe=advice(sighting),
        leaving=leaving(sighting),
        note=sighting.note,
        forbidden=prediction.forbidden
        or (standing is Standing.UNVERIFIED and any(answer.forbidden for answer in _answers(seen))),
    )


def _standing(sighting: Sighting) -> tuple[Standing, str | None, str | None]:
    """Verdict, what happened, what to do next."""
    seen = sighting.seen
    if not seen.exists:
        return Standing.ABSENT, f"There is no {seen.ref}.", "Check the name, the namespace and --kind."
    verdict = derive(
        without_smoke_test(seen),
        Record(ref=seen.ref, state=State.STARTING, unanswered_since=sighting.unanswered_since),
        Limits(),
    )
    if verdict.state is State.RUNNING:
        return _running(sighting, verdict)
    if verdict.state in {State.STOPPING, State.STOPPED}:
        return Standing(verdict.state.value), verdict.what, verdict.next
    if verdict.reason == "AwaitingScaler":
        return Standing.IDLE, verdict.what, verdict.next
    says_ready = seen.ready is Answer.TRUE
    if verdict.state is State.STARTING:
        if not says_ready:
            return Standing.STARTING, verdict.what, verdict.next
        what = verdict.what if verdict.reason == Reason.VERIFYING else f"KServe says Ready. {verdict.what}"
        return Standing.DIFFERS, what, "It may just be coming up: look again, or wait for it with --wait 10m."
    return Standing.DIFFERS if says_ready else Standing.ERROR, verdict.what, _next(seen, verdict.reason)


def _running(sighting: Sighting, verdict: Verdict) -> tuple[Standing, str | None, str | None]:
    seen, prediction = sighting.seen, sighting.prediction
    if prediction.outcome is Outcome.BAD:
        what = f"KServe says Ready, but the prediction does not: {prediction.pod}, POST {prediction.path}: {prediction.said}."
        return Standing.DIFFERS, what, prediction.next
    if prediction.outcome is Outcome.UNUSABLE:
        return (
            Standing.DIFFERS,
            f"Its prediction was asked for and could not be sent: {prediction.said}.",
            prediction.next,
        )
    if without := list(_without_it(seen)):
        detail = without[0].answer.detail if without[0].answer else ""
        count = len(list(_serving(seen)))
        what = (
            f"KServe says Ready, but {len(without)} of {count} pods are without the model; {without[0].name}: {detail}."
        )
        return Standing.DIFFERS, what, _next(seen, Reason.MODEL_MISSING)
    match verdict.reason:
        case Reason.SCALED_TO_ZERO | Reason.WAKING:
            return Standing.IDLE, verdict.what, None
        case Reason.ASLEEP:
            return Standing.ASLEEP, verdict.what, None
        case Reason.UNVERIFIED if prediction.outcome is not Outcome.GOOD:
            return Standing.UNVERIFIED, verdict.what, _to_verify(seen)
        case _ if prediction.outcome is Outcome.UNREACHED:
            return Standing.ANSWERS, f"Its prediction could not be asked for: {prediction.next}.", None
        case _:
            return Standing.ANSWERS, verdict.what if verdict.reason == Reason.DEGRADED else None, None


def _to_verify(seen: Observation) -> str | None:
    own = "A smoke test with a `path` verifies a server that speaks HTTP of its own: --predict."
    return own if any(answer.own_protocol for answer in _answers(seen)) else None


def _next(seen: Observation, reason: str | None) -> str | None:
    if reason != Reason.MODEL_MISSING or seen.ref.kind is not Kind.INFERENCE_SERVICE:
        return what_next(reason)
    by_hand = _BY_HAND.format(namespace=seen.ref.namespace, name=seen.ref.name)
    return f"{what_next(reason)}\n{by_hand}"


def _without_it(seen: Observation) -> Iterator[Pod]:
    """A server that is just up may list its model a moment later."""
    for pod in _serving(seen):
        up_for = seen.observed_at - (pod.ready_since or seen.observed_at)
        if pod.ready and pod.answer and pod.answer.what is Answered.MISSING and up_for >= SETTLING:
            yield pod


def _up(seen: Observation) -> list[Pod]:
    return [pod for pod in seen.pods if not pod.deleting and not pod.finished]


def _answers(seen: Observation) -> Iterator[PodAnswer]:
    return (pod.answer for pod in _serving(seen) if pod.answer)


def _serving(seen: Observation) -> Iterator[Pod]:
    return (pod for pod in _up(seen) if pod.serves)


def kserve_says(seen: Observation) -> str:
    if not seen.exists:
        return "-"
    if seen.deleting:
        return "Deleting"
    if seen.stop_wanted and seen.kserve_says_stopped:
        return "Stopped"
    if seen.ready is Answer.TRUE:
        return "ScaledToZero" if (seen.scaled_down or seen.may_scale_to_zero) and not _up(seen) else "Ready"
    if seen.ready is Answer.UNKNOWN:
        return "Unknown"
    return f"NotReady ({seen.ready_reason})" if seen.ready_reason else "NotReady"


def pods_say(seen: Observation) -> str:
    """Such as `loaded 2/2`, or `loaded 1/2, missing 1/2`."""
    if seen.members:
        run = sum(member.state is State.RUNNING for member in seen.members)
        return f"members run {run}/{len(seen.members)}"
    serving = list(_serving(seen))
    if not serving:
        return "no server" if _up(seen) else "no pod" if seen.exists else "-"
    counted = Counter(_word(pod, seen) for pod in serving)
    order = [*_WORDS.values(), "not asked", "not ready"]
    return ", ".join(f"{word} {counted[word]}/{len(serving)}" for word in order if counted[word])


def _word(pod: Pod, seen: Observation) -> str:
    if not pod.ready:
        return "not ready"
    return _WORDS[pod.answer.what] if pod.answer and not seen.stop_wanted else "not asked"
