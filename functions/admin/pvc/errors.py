"""How a plan or a step of it ends when it does not end well."""

from events.errors import ModelswitchError


class Refusal(ModelswitchError):
    """It can't be done as things stand, and nothing was changed for it: what happened, and what to do next."""

    def __init__(self, message: str, next_action: str) -> None:
        super().__init__(message, next_action)

    def __str__(self) -> str:
        return f"{self.message}. {self.next_action}"


class StepFailed(Refusal):
    """A step of `apply` did not work. What was done before it is undone."""


class TimeIsOver(StepFailed):
    """A step took longer than it may."""
