"""What a command can't have, and the way out. Each refusal says what was found and what to do next."""

from typing import NoReturn

from events.artifact import Strategy
from events.commands import ReloadRequested, StartRequested, StopRequested
from events.location import Location
from events.model import Kind
from functions.lifecycle.errors import Code, NotFound, Refused
from functions.lifecycle.observation import Mode, Observation
from functions.lifecycle.record import Record
from functions.lifecycle.request import Request
from functions.lifecycle.state_messages import count_pods
from functions.lifecycle.verification import by_role

_BESIDE_A_CANARY = (
    'Promote or roll back the canary first, or reload it with {"strategy": "rolling"}, which stops nothing.'
)
_AUTOSCALER_CLASSES_OF_HPA = {None, "", "hpa"}


def refuse_unless_there(seen: Observation) -> None:
    """What every command needs: the model."""
    if not seen.exists:
        raise NotFound(
            Code.NOT_FOUND,
            f"there is no {seen.ref.kind} {seen.ref.name} in namespace {seen.ref.namespace}",
            f"Check the name: kubectl get {seen.ref.kind.plural} -n {seen.ref.namespace}",
        )
    if seen.deleting:
        raise Refused(
            Code.INVALID_TRANSITION,
            f"{seen.ref} is being deleted",
            "Wait until it is gone; apply it again to have it back.",
        )


def refuse_stop(seen: Observation, command: StopRequested) -> None:
    """A stop that KServe would ignore, or that would do harm."""
    for blocker in seen.blockers:
        if blocker.code is Code.CANARY_IN_PROGRESS and command.promote_canary:
            continue
        raise Refused(blocker.code, blocker.message, blocker.next_action)


def refuse_start(record: Record, seen: Observation, request: Request, command: StartRequested) -> None:
    """A start that must wait, or that is sure to fail."""
    stopping = not record.can_start
    if stopping and not request.queue:
        raise Refused(
            Code.STOP_IN_PROGRESS,
            f"{seen.ref} is still stopping: {count_pods(len(seen.pods))} left",
            'Ask again when it is stopped, or send {"queue": true} and it starts when the last pod is gone.',
            retry_after=2,
        )
    if not command.restore_autoscaling:
        _refuse_autoscaler(seen)
    if seen.shortages and not stopping:
        listed = "; ".join(
            f"{short.resource}: needs {short.requested}, used {short.used} of {short.limited} (quota {short.quota})"
            for short in seen.shortages
        )
        raise Refused(
            Code.QUOTA_EXCEEDED,
            f"{seen.ref} does not fit the namespace's quota: {listed}",
            "Stop another model of this namespace or ask for a larger quota, then start again.",
        )


def refuse_reload(seen: Observation, command: ReloadRequested) -> None:
    """An artifact that is not the model's, or a reload that KServe would not carry out."""
    artifact = command.artifact
    if artifact.namespace not in {None, seen.ref.namespace}:
        raise Refused(
            Code.NOT_ITS_ARTIFACT,
            f"{artifact.uri} is in namespace {artifact.namespace}, and {seen.ref} can only load from its own",
            "Name the namespace that the claim and the model are in.",
        )
    if not any(artifact.location.overlaps(Location.parse(uri)) for uri in seen.artifacts):
        loads = ", ".join(seen.artifacts) or "no artifact that is named by a URI"
        raise Refused(
            Code.NOT_ITS_ARTIFACT,
            f"{seen.ref} does not load {artifact.uri}; it loads {loads}",
            "Name the artifact as the model's storageUri does.",
        )
    if seen.stop_wanted:
        return
    for blocker in seen.blockers:
        if blocker.only_stops and command.strategy is Strategy.ROLLING:
            continue
        if blocker.code is Code.CANARY_IN_PROGRESS:
            raise Refused(blocker.code, blocker.message, _BESIDE_A_CANARY)
        raise Refused(Code.RELOAD_UNSUPPORTED, blocker.message, blocker.next_action)
    _refuse_two_pods_on_one_claim(seen, command)
    up = [pod for pod in seen.pods if pod.serves and not pod.deleting and not pod.finished]
    one_by_one = seen.ref.kind is Kind.LLM_INFERENCE_SERVICE and command.strategy is Strategy.ROLLING
    fewest = min(by_role(up), key=len, default=[])
    if one_by_one and len(fewest) < 2:
        of_role = f" of {fewest[0].component}" if len(fewest) < len(up) else ""
        raise Refused(
            Code.RELOAD_UNSUPPORTED,
            f"{seen.ref} has {count_pods(len(fewest))}{of_role}, and KServe can't make an LLMInferenceService's new pod before the old "
            "one goes",
            'Reload it with {"strategy": "replace"}, which stops and starts it; or give it two replicas.',
        )


def _refuse_two_pods_on_one_claim(seen: Observation, command: ReloadRequested) -> None:
    claim = next((claim for claim in seen.narrow_claims if claim.one_pod), None)
    if claim and command.strategy is Strategy.ROLLING and seen.ref.kind is not Kind.LLM_INFERENCE_SERVICE:
        raise Refused(
            Code.RELOAD_UNSUPPORTED,
            f"the claim {claim.name} of {seen.ref} is ReadWriteOncePod: a new pod can't start before the old one ends",
            'Reload it with {"strategy": "replace"}, which stops and starts it.',
        )


def _refuse_autoscaler(seen: Observation) -> None:
    def refuse(why: str) -> NoReturn:
        raise Refused(
            Code.START_UNSUPPORTED,
            f"{seen.ref} can't start without its autoscaler: {why}",
            'Start it with {"restore_autoscaling": true}, or change minReplicas and maxReplicas in its spec.',
        )

    if seen.ref.kind.value != "InferenceService":
        refuse(f"KServe has no annotation for that on a {seen.ref.kind}")
    if seen.mode is not Mode.STANDARD:
        refuse("in Knative mode KServe always takes the scale from the spec")
    if seen.autoscaler not in _AUTOSCALER_CLASSES_OF_HPA:
        refuse(f"its autoscaler class is {seen.autoscaler}, which KServe does not make itself")
