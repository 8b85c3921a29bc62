"""Which model a dead event was about, as far as its subject tells."""

from events.model import ModelRef


def model_of(subject: object) -> ModelRef | None:
    try:
        return ModelRef.from_subject(str(subject or ""))
    except ValueError:
        return None
