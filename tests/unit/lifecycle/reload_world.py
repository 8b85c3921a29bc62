"""The model of the world, with an artifact: what a reload asks of it, and what the new pods then answer."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from builders import REF, a_pod
from world import World

from events.artifact import Artifact, Strategy
from events.commands import ReloadRequested
from events.model import Kind
from functions.lifecycle import effects as ask
from functions.lifecycle.observation import DIGEST_ANNOTATION, Answered, Observation, Pod, PodAnswer
from functions.lifecycle.request import Request

URI = "pvc://models/scorer"
ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")
REF_OF_LLM = REF.model_copy(update={"kind": Kind.LLM_INFERENCE_SERVICE})


def reload(digest=ONE, *, uri=URI, strategy=Strategy.ROLLING, settle=None, namespace=REF.namespace, **changes):
    artifact = Artifact(uri=uri, namespace=namespace, digest=digest, size=10)
    command = ReloadRequested(artifact=artifact, strategy=strategy, settle=settle)
    values = {"ref": REF, "source": "/test", "id": f"reload-{digest[-1]}", "actor": "training", "by_event": True}
    return Request(command=command, **{**values, **changes})


def answering(what=Answered.LOADED):
    return PodAnswer(what, f"GET /v1/models/scorer: {what}")


@dataclass
class ReloadWorld(World):
    """`loads` is what a pod made from now on finds; `rolls` counts the times that KServe made pods anew."""

    loads: Answered = Answered.LOADED
    crashes: bool = False
    rolls: int = 0
    deleted: list[str] = field(default_factory=list)

    def look(self) -> Observation:
        seen = super().look()
        return replace(seen, artifacts=(URI,))

    def kserve(self) -> None:
        super().kserve()
        wanted = self.annotations.get(DIGEST_ANNOTATION)
        if self.stop_wanted:
            return
        if any(pod.digest != wanted for pod in self.pods):
            self.rolls += 1
            new = self._pod(wanted)
            self.pods = [*self.pods, new] if self.crashes else [new]

    def _pod(self, digest: str | None) -> Pod:
        name = f"pod-{self.version}-{self.rolls}"
        if self.crashes:
            return a_pod(name, ready=False, digest=digest, crashed="container kserve-container ended with exit code 1.")
        return a_pod(name, digest=digest, answer=answering(self.loads), ready_since=self.now)

    def _carry_out(self, wanted):
        if isinstance(wanted, ask.DeletePod):
            self.deleted.append(wanted.name)
            self.pods = [pod for pod in self.pods if pod.uid != wanted.uid]
            self._touch()
            return None
        return super()._carry_out(wanted)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def told(self) -> list[str]:
        """The last part of the type of each fact, in order."""
        return [published.fact.type.split(".")[-2] for published in self.facts]
