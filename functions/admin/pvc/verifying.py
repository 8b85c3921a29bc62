"""Whether the model really serves from the claim: read from its object and its pods."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.model import Kind, ModelRef
from functions.adapters.cluster import Cluster
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.resources import GROUP, pod_selector, pods
from functions.adapters.kserve.served import server_of
from functions.adapters.probe import Probe, ProxyLine
from functions.admin.pvc.errors import StepFailed, TimeIsOver
from functions.admin.pvc.manifests import model_empty_dirs
from functions.admin.pvc.progress import Teller
from functions.admin.pvc.seen import Json
from functions.admin.pvc.waiting import Patience, Trouble, steadily
from functions.admin.pvc.wish import Wish
from functions.lifecycle.observation import Answer, Answered, PodAnswer


@dataclass(frozen=True)
class Standing:
    """`verified`: it serves from the claim. `trouble`: why it may never come to that. `says`: what a person is told."""

    verified: bool
    says: str
    trouble: str | None = None


async def look(cluster: Cluster, wish: Wish) -> Standing:
    """One look. The one place that decides what `verified` means."""
    ref = ModelRef(namespace=wish.namespace, name=wish.name)
    found = await cluster.get(f"{GROUP}/v1beta1/namespaces/{wish.namespace}/inferenceservices/{wish.name}")
    listed = await cluster.list_all(pods(wish.namespace), labelSelector=pod_selector(ref))
    standing = stands(wish, found, listed)
    if not standing.verified:
        return standing
    model = Model(Kind.INFERENCE_SERVICE, found)
    ready = [pod for pod in listed if wish.claim in claims_of(pod) and _is_up(pod) and read_pod(pod).ready]
    servers = [server for pod in ready if (server := server_of(model, pod))]
    answers = await Probe(ProxyLine(cluster)).ask(servers)
    return answered(standing, [answers[pod["metadata"]["uid"]] for pod in ready if pod["metadata"]["uid"] in answers])


def stands(wish: Wish, isvc: Json, listed: Iterable[Json]) -> Standing:
    """Pure. Only pods that mount the claim count; while another one is ready, requests may still go there."""
    model = Model(Kind.INFERENCE_SERVICE, isvc)
    alive = [pod for pod in listed if _is_up(pod)]
    ours = [pod for pod in alive if claims_of(pod) & {wish.claim}]
    others = [pod for pod in alive if pod not in ours and read_pod(pod).ready]
    ready = [pod for pod in ours if read_pod(pod).ready]
    condition = model.condition("Ready")
    if ready and not others and condition and condition.status is Answer.TRUE:
        return Standing(
            True, f"{len(ready)} of {len(ours)} pods ready, each with claim {wish.claim}, and KServe says Ready"
        )
    if not alive and model.may_scale_to_zero and condition and condition.status is Answer.TRUE:
        return Standing(True, "KServe says Ready and has scaled it to zero: that it answers shows at its first request")
    troubles = [one for pod in ours if (one := read_pod(pod).trouble)]
    trouble = next((f"{one.reason}: {one.message}" for one in troubles if not one.held), None)
    held = "".join(f"; {one.reason}: {one.message}" for one in troubles[:1] if one.held)
    if trouble is None and model.trouble and not ready:
        trouble = f"{model.trouble.reason}: {model.trouble.message}"
    waits = f"; {len(others)} ready without the claim" if others else ""
    return Standing(False, f"{len(ready)} of {len(ours)} pods with the claim are ready{waits}{held}", trouble)


def answered(standing: Standing, answers: Sequence[PodAnswer]) -> Standing:
    """Pure. KServe says Ready of a server that has no model: what the pods themselves say goes before it."""
    by_what = {answer.what: answer.detail for answer in answers}
    if {Answered.LOADED, Answered.ASLEEP} & by_what.keys():
        return Standing(True, f"{standing.says}, and its pods have the model loaded")
    if Answered.MISSING in by_what:
        said = f"ModelMissing: the pod is Ready without its model ({by_what[Answered.MISSING]})"
        return Standing(False, standing.says, said)
    waits = next((by_what[what] for what in (Answered.LOADING, Answered.UNANSWERED) if what in by_what), None)
    if waits is not None:
        return Standing(False, f"the pods are Ready, the model is not loaded yet ({waits})")
    why = by_what.get(Answered.UNASKABLE) or "modelswitch does not know its server's protocol"
    return Standing(True, f"{standing.says} (that the model is loaded could not be asked: {why})")


async def wait(cluster: Cluster, wish: Wish, tell: Teller, patience: Patience) -> Standing:
    """StepFailed where trouble stays, TimeIsOver where nothing comes of it."""
    trouble, seen = Trouble(), Standing(False, "nothing was seen of it")
    try:
        async for _ in patience.looks(f"{wish.name} to serve from {wish.target}"):
            seen = await steadily(lambda: look(cluster, wish))
            tell.say(seen.trouble or seen.says)
            if seen.verified:
                return seen
            if trouble.lasts(seen.trouble, patience.trouble_seconds):
                raise StepFailed(f"{wish.name} does not come up: {seen.trouble}", "Fix that, then apply again.")
    except TimeIsOver as error:
        raise TimeIsOver(f"{error.message}: {seen.trouble or seen.says}", error.next_action) from error
    raise AssertionError


async def empty_dirs(cluster: Cluster, wish: Wish) -> tuple[int, dict[str, list[str]]]:
    """How many pods serve, and by pod the emptyDirs that are mounted where the model belongs."""
    ref = ModelRef(namespace=wish.namespace, name=wish.name)
    listed = await cluster.list_all(pods(wish.namespace), labelSelector=pod_selector(ref))
    ours = [pod for pod in listed if _is_predictor(pod) and wish.claim in claims_of(pod)]
    found = {pod["metadata"]["name"]: model_empty_dirs(pod["spec"]) for pod in ours}
    return len(ours), {name: volumes for name, volumes in found.items() if volumes}


def _is_up(pod: Json) -> bool:
    seen = read_pod(pod)
    return _is_predictor(pod) and not seen.deleting and not seen.finished


def _is_predictor(pod: Json) -> bool:
    return read_pod(pod).component == "predictor"


def claims_of(pod: Json) -> set[str]:
    volumes = pod["spec"].get("volumes") or []
    return {str(one["persistentVolumeClaim"]["claimName"]) for one in volumes if "persistentVolumeClaim" in one}
