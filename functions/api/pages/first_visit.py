"""What a new user on a laptop can try, with the models that really exist."""

from dataclasses import dataclass

from events.model import Kind, ModelRef
from events.status import State
from functions.api.overview import Line
from functions.api.pages.spelled import spelled
from functions.lifecycle.reasons import Reason
from functions.settings import Settings


@dataclass(frozen=True)
class Try:
    """One thing to try: what, what will be seen, and the command, "" where the page itself does it."""

    title: str
    text: str
    command: str = ""


def what_to_try(lines: list[Line], settings: Settings) -> list[Try]:
    """Empty without a model that runs."""
    running = [line for line in lines if line.state is State.RUNNING and line.reason is None]
    if not running:
        return []
    largest = max(running, key=lambda line: (line.gpus, line.memory))
    services = [line for line in running if line.ref.kind is Kind.INFERENCE_SERVICE and line is not largest] or running
    small = min(services, key=lambda line: (line.gpus, line.memory, line.ref.name)).ref
    waiting = next((line.ref.name for line in lines if line.reason == Reason.UNSCHEDULABLE), None)
    seen = (
        f" {waiting} waits for GPUs: it starts by itself with those that come free." if waiting and largest.gpus else ""
    )
    ways = spelled("stop", small, settings)
    return [
        Try(f"Stop {largest.ref.name}", f"With the button in its row: you are told what will happen first.{seen}"),
        Try(f"Stop {small.name} by an event", "As a pipeline does it. The row changes by itself.", ways.event),
        Try(
            "Stop it behind our back",
            "As other tools do. It shows within seconds, as done from outside.",
            _outside(small),
        ),
        Try("Press ?", "Everything works from the keyboard: j and k move, x selects, / searches."),
    ]


def _outside(ref: ModelRef) -> str:
    kind = ref.kind.value.lower()
    return f"kubectl annotate {kind} {ref.name} -n {ref.namespace} serving.kserve.io/stop=true"
