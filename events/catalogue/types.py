"""The types of events: those of this contract with their models, and those of Knative that are taken as they come."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from events.artifact import ArtifactWritten
from events.commands import ModelCommand, ReloadRequested, StartRequested, StopRequested
from events.facts import ModelFact, ModelFailed, ModelReloaded, ModelStarted, ModelStarting, ModelStopped, ModelStopping

Content = ModelCommand | ArtifactWritten | ModelFact
COMMANDS: Final = (StopRequested, StartRequested, ReloadRequested, ArtifactWritten)
FACTS: Final = (ModelStopping, ModelStopped, ModelStarting, ModelStarted, ModelReloaded, ModelFailed)
MODELS: Final = MappingProxyType[str, type[Content]]({model.type: model for model in (*COMMANDS, *FACTS)})


@dataclass(frozen=True, slots=True)
class Notification:
    """An event that says where to look. Nothing it says is believed, so losing or repeating it does no harm."""

    type: str
    sender: str
    summary: str
    function: str


_APISERVER = "Knative's ApiServerSource (Resource mode)"
NOTIFICATIONS: Final = MappingProxyType(
    {
        notification.type: notification
        for notification in (
            Notification("dev.knative.apiserver.resource.add", _APISERVER, "A pod or a model appeared.", "pod-status"),
            Notification(
                "dev.knative.apiserver.resource.update", _APISERVER, "A pod or a model changed.", "pod-status"
            ),
            Notification(
                "dev.knative.apiserver.resource.delete", _APISERVER, "A pod or a model is gone.", "pod-status"
            ),
            Notification("dev.knative.sources.ping", "Knative's PingSource", "Time passed: take what is due.", "tick"),
        )
    }
)


def schema_uri(event_type: str) -> str:
    """The `dataschema` of a type: an identifier (it is the schema's `$id`), not an address that must answer."""
    return f"https://modelswitch.dev/schemas/{event_type}.json"


def summary(model: type[Content]) -> str:
    """The model's docstring, on one line."""
    return " ".join((model.__doc__ or "").split())
