"""One example of each type's data, shown in the docs and held valid by the tests."""

from datetime import UTC, datetime

from events.commands import ModelCommand, StartRequested, StopRequested
from events.facts import ModelFact, ModelFailed, ModelStarted, ModelStarting, ModelStopped, ModelStopping
from events.model import ModelRef
from events.status import PodGrace, Receipt

REF = ModelRef(namespace="fraud", name="scorer")
_WHO = "nightly-training"
_WHY = "GPU needed for training"
_EXAMPLES: tuple[ModelCommand | ModelFact, ...] = (
    StopRequested(actor=_WHO, reason=_WHY, timeout=90),
    StartRequested(actor=_WHO, reason="training done"),
    ModelStopping(actor=_WHO, reason=_WHY, pods=1, grace="90s"),
    ModelStopped(
        actor=_WHO,
        reason=_WHY,
        receipt=Receipt(
            pods=1,
            gpus=1,
            memory="8Gi",
            seconds=2.1,
            grace=(PodGrace(name="scorer-predictor-6d5f7c9b8-x2x7k", gpus=1, memory="8Gi", grace_seconds=90),),
            stopped_at=datetime(2026, 1, 31, 22, 0, 2, tzinfo=UTC),
            actor=_WHO,
        ),
    ),
    ModelStarting(actor=_WHO, reason="training done"),
    ModelStarted(actor=_WHO, reason="training done", seconds=8.4),
    ModelFailed(
        actor=_WHO,
        code="QuotaExceeded",
        message="the quota `gpus` allows 2 GPUs, 2 are used, the model needs 1",
        next_action="Stop another model in fraud, or raise the quota.",
        during="start",
    ),
)
EXAMPLES = {example.type: example for example in _EXAMPLES}
