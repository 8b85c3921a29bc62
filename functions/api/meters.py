"""What is counted, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from functions.object_errors import ERRORS


class Meters:
    """One registry per application, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(ERRORS)
        self.requests = Counter(
            "modelswitch_requests_total", "HTTP requests.", ["method", "route", "status"], registry=self.registry
        )
        self.steps = Counter(
            "modelswitch_steps_total",
            "Steps by verb (stop, start, look) and outcome (changed, unchanged, or the problem's code).",
            ["verb", "outcome"],
            registry=self.registry,
        )
        self.step_seconds = Histogram(
            "modelswitch_step_seconds", "How long a step took.", ["verb"], registry=self.registry
        )
        self.listeners = Gauge("modelswitch_event_listeners", "Open event streams.", registry=self.registry)
