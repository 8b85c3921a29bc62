"""What was seen of one model: its object, its pods, what they answered, and what a prediction brought."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from events.model import ModelRef
from functions.adapters.cluster import Json
from functions.adapters.kserve.served import Server
from functions.lifecycle.observation import Observation


class Outcome(Enum):
    """GOOD: 200 with the shape. BAD: anything else of the server. UNUSABLE: the ConfigMap can't be read as a canary.
    UNREACHED: the pod can't be asked. NOT_ASKED: `said` tells why.
    """

    GOOD = auto()
    BAD = auto()
    UNUSABLE = auto()
    UNREACHED = auto()
    NOT_ASKED = auto()


@dataclass(frozen=True)
class Prediction:
    """`said` is short, for a table; `next` is what to do where it is BAD or UNUSABLE, and why where it is UNREACHED."""

    outcome: Outcome
    said: str
    pod: str = ""
    path: str = ""
    next: str = ""


NOT_ASKED = Prediction(Outcome.NOT_ASKED, "not asked")


@dataclass(frozen=True)
class Sighting:
    """`pods` as the API server has them, by uid. `runtime`: what its container comes from, as a person names it."""

    seen: Observation
    servers: tuple[Server, ...] = ()
    pods: Mapping[str, Json] = field(default_factory=dict)
    runtime: str | None = None
    unanswered_since: datetime | None = None
    prediction: Prediction = NOT_ASKED

    @property
    def ref(self) -> ModelRef:
        return self.seen.ref
