"""What would make a stop or a reload do nothing, or do harm, although the API server accepts it."""

from events.model import Kind
from functions.adapters.cluster import Json
from functions.adapters.kserve.model import COMPONENTS, Model
from functions.adapters.kserve.resources import Resources
from functions.adapters.kserve.runtimes import Found, Runtimes
from functions.lifecycle.errors import Code
from functions.lifecycle.observation import Answer, Blocker, Mode

DISABLE_AUTO_UPDATE = "serving.kserve.io/disable-auto-update"


async def find_blockers(
    model: Model, runtimes: Runtimes, resources: Resources, *, has_pods: bool
) -> tuple[Blocker, ...]:
    found = [_model_mesh(model), await _too_old(model, resources), _canary(model)]
    if not has_pods:
        found.append(_not_built(model))
    if model.kind is Kind.INFERENCE_SERVICE:
        found += [_auto_update(model), await _runtime(model, runtimes)]
    return tuple(blocker for blocker in found if blocker)


def ignores_stop(model: Model, *, has_pods: bool) -> Blocker | None:
    """Why KServe does not act on a stop that is set, as far as the object tells."""
    found = [_model_mesh(model), None if has_pods else _not_built(model)]
    if model.kind is Kind.INFERENCE_SERVICE:
        found += [_auto_update(model), _no_runtime(model)]
    return next((blocker for blocker in found if blocker), None)


def _unsupported(message: str, next_action: str, *, only_stops: bool = False) -> Blocker:
    return Blocker(Code.STOP_UNSUPPORTED, message, next_action, only_stops)


def _ready(model: Model) -> bool:
    condition = model.condition("Ready")
    return condition is not None and condition.status is Answer.TRUE


def _model_mesh(model: Model) -> Blocker | None:
    if model.mode is not Mode.MODEL_MESH:
        return None
    return _unsupported(
        "it is served by ModelMesh, where models share pods, and KServe neither stops nor reloads one of them",
        "Move it to Standard or Knative mode (annotation serving.kserve.io/deploymentMode on a new InferenceService).",
    )


def _auto_update(model: Model) -> Blocker | None:
    if (model.annotations or {}).get(DISABLE_AUTO_UPDATE) != "true" or not _ready(model):
        return None
    return _unsupported(
        f"{DISABLE_AUTO_UPDATE} is set: KServe does not change a ready model",
        f"Remove that annotation first: kubectl annotate inferenceservice {model.metadata['name']} "
        f"-n {model.metadata['namespace']} {DISABLE_AUTO_UPDATE}-",
    )


async def _too_old(model: Model, resources: Resources) -> Blocker | None:
    """A KServe that honours the annotation shows a Stopped condition on what runs; LLMInferenceService never does."""
    if model.kind is Kind.LLM_INFERENCE_SERVICE:
        old = not await resources.llm_can_stop()
    else:
        old = _ready(model) and model.condition("Stopped") is None
    if not old:
        return None
    return _unsupported(
        "this KServe does not know the stop annotation for it (no Stopped condition in its status)",
        "Upgrade KServe: Knative mode needs 0.15.1, Standard mode and InferenceGraph 0.16, LLMInferenceService 0.17.",
        only_stops=True,
    )


def _canary(model: Model) -> Blocker | None:
    if model.mode is not Mode.KNATIVE:
        return None
    for component in COMPONENTS:
        percent = (model.spec.get(component) or {}).get("canaryTrafficPercent")
        status = (model.status.get("components") or {}).get(component) or {}
        if percent is None or percent >= 100 or not _splits_traffic(status):
            continue
        return Blocker(
            Code.CANARY_IN_PROGRESS,
            f"a canary of the {component} has {percent}% of the traffic; KServe forgets the previous revision in a stop, "
            "so the next start would send everything to the canary",
            'Promote or roll back the canary first, or accept it with {"promote_canary": true}.',
            only_stops=True,
        )
    return None


def _splits_traffic(status: Json) -> bool:
    revisions = {target.get("revisionName") for target in status.get("traffic") or []} - {None}
    rolled_out, latest = status.get("latestRolledoutRevision"), status.get("latestReadyRevision")
    return len(revisions) > 1 or bool(rolled_out and latest and rolled_out != latest)


async def _runtime(model: Model, runtimes: Runtimes) -> Blocker | None:
    """KServe builds a model's resources before it deletes them: without its runtime it gets nowhere."""
    predictor_model = (model.spec.get("predictor") or {}).get("model") or {}
    name = predictor_model.get("runtime")
    if not name:
        return _no_runtime(model)
    namespace = model.metadata["namespace"]
    found = await runtimes.find(namespace, name)
    if found is Found.MISSING:
        return _unsupported(
            f"its ServingRuntime {name} does not exist, and KServe does nothing with a model without it",
            f"Create ServingRuntime {name} in namespace {namespace}, then ask again.",
        )
    if found is Found.DISABLED:
        return _unsupported(
            f"its ServingRuntime {name} is disabled, and KServe does nothing with a model without it",
            f"Enable ServingRuntime {name} (spec.disabled: false), then ask again.",
        )
    return None


def _not_built(model: Model) -> Blocker | None:
    """A name that is too long for the host of its route, a configuration that is no good: KServe ends at the error, each time."""
    failure = model.build_failure
    if failure is None:
        return None
    return _unsupported(
        f"KServe can't build it ({failure}), so no pod runs and there is nothing to stop",
        "Fix the error that KServe reports, then retry; or delete the model.",
    )


def _no_runtime(model: Model) -> Blocker | None:
    """No runtime is named and KServe finds none that fits: it says so in modelStatus."""
    status = model.status.get("modelStatus") or {}
    if status.get("transitionStatus") != "InvalidSpec" or _ready(model):
        return None
    failure = status.get("lastFailureInfo") or {}
    return _unsupported(
        f"KServe can't build it ({failure.get('message') or 'InvalidSpec'}), and does nothing with it before it can",
        "Fix the error that KServe reports, then retry; or delete the model.",
    )
