"""One example of each type's data, shown in the docs and held valid by the tests."""

from datetime import UTC, datetime

from events.artifact import Artifact, ArtifactRef, ArtifactWritten, Completeness, Strategy
from events.catalogue.types import Content
from events.commands import ReloadRequested, StartRequested, StopRequested
from events.facts import ModelFailed, ModelReloaded, ModelStarted, ModelStarting, ModelStopped, ModelStopping
from events.model import ModelRef
from events.status import PodGrace, Receipt

REF = ModelRef(namespace="fraud", name="scorer")
_WHO = "nightly-training"
_WHY = "GPU needed for training"
_URI = "pvc://models/fraud/scorer"
_DIGEST = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_EXAMPLES: tuple[Content, ...] = (
    StopRequested(actor=_WHO, reason=_WHY, timeout=90),
    StartRequested(actor=_WHO, reason="training done"),
    ReloadRequested(
        actor=_WHO,
        reason="retrained",
        artifact=Artifact(uri=_URI, namespace="fraud", digest=_DIGEST, size=1_572_864),
        strategy=Strategy.REPLACE,
    ),
    ArtifactWritten(
        uri=_URI,
        namespace="fraud",
        digest=_DIGEST,
        size=1_572_864,
        complete=Completeness.SUCCESS_FILE,
        written_by=_WHO,
        reason="retrained",
    ),
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
    ModelReloaded(actor=_WHO, reason="retrained", uri=_URI, digest=_DIGEST, seconds=9.2),
    ModelFailed(
        actor=_WHO,
        code="QuotaExceeded",
        message="the quota `gpus` allows 2 GPUs, 2 are used, the model needs 1",
        next_action="Stop another model in fraud, or raise the quota.",
        during="start",
    ),
)


def about(example: Content) -> ModelRef | ArtifactRef:
    """What an event with this data is about."""
    return example.ref if isinstance(example, ArtifactWritten) else REF


EXAMPLES = {example.type: example for example in _EXAMPLES}
