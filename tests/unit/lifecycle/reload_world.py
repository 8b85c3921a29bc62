"""The model of the world, with an artifact: what a reload asks of it, and what the new pods then answer."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import asks as ask
from builders import REF, a_pod
from world import World

from events.artifact import Artifact, Strategy
from events.commands import ReloadRequested
from events.model import Kind
from functions.lifecycle.observation import DIGEST_ANNOTATION, Answered, Handover, Observation, Owner, Pod, PodAnswer
from functions.lifecycle.request import Request

URI = "pvc://models/scorer"
ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")
REF_OF_LLM = REF.model_copy(update={"kind": Kind.LLM_INFERENCE_SERVICE})


def reload(digest=ONE, *, uri=URI, strategy=Strategy.ROLLING, settle=None, namespace=REF.namespace, **changes):
    artifact = Artifact(uri=uri, namespace=namespace, digest=digest, size=10)
    command = ReloadRequested(artifact=artifact, strategy=strategy, settle=settle)
    values = {"ref": REF, "source": "/test", "id": f"reload-{digest[-1]}", "actor": "training", "by_event": True}
    return Request(command=command, **{**values, **changes})


def marked(pod: Pod, mark: ask.MarkPod) -> Pod:
    left = mark.handover is Handover.LEAVING
    return replace(pod, handover=mark.handover, left_at=mark.at if left else None, deleting=left or pod.terminating)


def answering(what=Answered.LOADED):
    return PodAnswer(what, f"GET /v1/models/scorer: {what}")


@dataclass
class ReloadWorld(World):
    """`loads` is what a pod made from now on finds; `rolls` counts the times that KServe replaced the pods.

    `policy`: no ReplicaSet may delete a pod that is marked, as on a cluster with our admission policy.
    """

    loads: Answered = Answered.LOADED
    crashes: bool = False
    policy: bool = True
    rolls: int = 0
    deleted: list[str] = field(default_factory=list)

    def look(self) -> Observation:
        seen = super().look()
        kept = {pod.owner for pod in self.pods if pod.handover is Handover.KEPT}
        return replace(seen, artifacts=(URI,), wanted={owner.uid: self._wanted(owner) for owner in kept})

    def _wanted(self, owner) -> int:
        """A Deployment of one: the new ReplicaSet's pod is Ready, so the old one is to have none."""
        return 0 if any(pod.ready and pod.owner != owner for pod in self.pods) else 1

    def kserve(self) -> None:
        leaving = [pod for pod in self.pods if pod.handover is Handover.LEAVING]
        self.pods = [pod for pod in self.pods if pod not in leaving]
        super().kserve()
        wanted = self.annotations.get(DIGEST_ANNOTATION)
        if not self.stop_wanted and any(pod.digest != wanted for pod in self.pods):
            if not any(pod.digest == wanted for pod in self.pods):
                self.rolls += 1
                self.pods = [*self.pods, self._pod(wanted)]
            self.pods = [pod for pod in self.pods if pod.digest == wanted or self._stays(pod)]
        self.pods += leaving

    def _stays(self, pod: Pod) -> bool:
        return self._wanted(pod.owner) > 0 or (self.policy and pod.handover is Handover.KEPT)

    def _pod(self, digest: str | None) -> Pod:
        name = f"pod-{self.version}-{self.rolls}"
        owner = Owner("ReplicaSet", f"scorer-predictor-{self.rolls}", f"rs-{self.version}-{self.rolls}")
        if self.crashes:
            crashed = "container kserve-container ended with exit code 1."
            return a_pod(name, ready=False, digest=digest, owner=owner, crashed=crashed)
        return a_pod(name, digest=digest, owner=owner, answer=answering(self.loads), ready_since=self.now)

    def _carry_out(self, wanted):
        if isinstance(wanted, ask.DeletePod):
            self.deleted.append(wanted.name)
            self.pods = [pod for pod in self.pods if pod.uid != wanted.uid]
            self._touch()
            return None
        if isinstance(wanted, ask.MarkPod):
            self.pods = [marked(pod, wanted) if pod.uid == wanted.uid else pod for pod in self.pods]
            self._touch()
            return None
        return super()._carry_out(wanted)

    def hand_over(self) -> None:
        """The look that sees the new pod answer, and the one after the old pod has left its Service."""
        self.notification()
        self.notification()

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def told(self) -> list[str]:
        """The last part of the type of each event, in order."""
        return [published.event.type.split(".")[-2] for published in self.events]
