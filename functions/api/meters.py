"""What is counted, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from functions.adapters.figures import Figures
from functions.adapters.stored import UNREADABLE
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
        self.outbox_waiting = self._gauge("outbox_events", "Events that wait for the broker.")
        self.outbox_oldest = self._gauge("outbox_oldest_seconds", "How long the oldest of them has waited.")
        self.outbox_set_aside = self._gauge(
            "outbox_set_aside", "Events that the broker will never take, since Redis began empty."
        )
        self.outbox_dropped = self._gauge(
            "outbox_dropped", "Events that made room for later ones, since Redis began empty."
        )
        self.stored = Gauge("modelswitch_stored_entries", "Entries by stream.", ["stream"], registry=self.registry)
        self.namespaces = self._gauge("history_namespaces", "Namespaces with a history of their own.")
        self.memory_used = self._gauge("redis_memory_used_bytes", "Memory that Redis uses.")
        self.memory_bound = self._gauge("redis_memory_max_bytes", "Redis' maxmemory; 0: it has none.")
        self.memory_ratio = self._gauge("redis_memory_ratio", "Used memory as a share of maxmemory: alert at 0.7.")
        self.registry.register(UNREADABLE)
        self.listeners = Gauge("modelswitch_event_listeners", "Open event streams.", registry=self.registry)

    def show(self, figures: Figures) -> None:
        """What Redis holds."""
        self.outbox_waiting.set(figures.waiting)
        self.outbox_oldest.set(figures.oldest)
        self.outbox_set_aside.set(figures.set_aside)
        self.outbox_dropped.set(figures.dropped)
        self.namespaces.set(figures.namespaces)
        self.memory_used.set(figures.memory.used)
        self.memory_bound.set(figures.memory.bound)
        self.memory_ratio.set(figures.memory.ratio)
        for stream, length in figures.lengths.items():
            self.stored.labels(stream).set(length)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"modelswitch_{name}", about, registry=self.registry)
