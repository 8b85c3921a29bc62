"""What was seen of one model: its object, its pods, what they answered, and what a prediction brought."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from events.model import ModelRef
from functions.adapters.cluster import Json
from functions.adapters.kserve.notes import NoteState
from functions.adapters.kserve.served import Server
from functions.lifecycle.observation import Observation
from functions.lifecycle.prediction import Outcome, Prediction

NOT_ASKED = Prediction(Outcome.NOT_ASKED, "not asked")


@dataclass(frozen=True)
class Sighting:
    """`pods` as the API server has them, by uid. `runtime`: what its container comes from, as a person names it. `note`:
    whether the stop annotation is signed; None where the model is not stopped, or has no such annotation.
    """

    seen: Observation
    servers: tuple[Server, ...] = ()
    pods: Mapping[str, Json] = field(default_factory=dict)
    runtime: str | None = None
    unanswered_since: datetime | None = None
    prediction: Prediction = NOT_ASKED
    note: NoteState | None = None

    @property
    def ref(self) -> ModelRef:
        return self.seen.ref
