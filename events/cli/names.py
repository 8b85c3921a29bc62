"""From what people type to which model is meant."""

from dataclasses import dataclass

from pydantic import ValidationError

from events.cli.exits import CliError, Exit
from events.cli.options import Selection
from events.duration import parse_duration
from events.model import Kind, ModelRef


@dataclass(frozen=True, slots=True)
class Target:
    """A model as named on the command line; what is None the server finds out."""

    name: str
    namespace: str | None
    kind: Kind | None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def ref(self) -> ModelRef:
        """The model that a command by event is for: an event names its namespace."""
        if self.namespace is None:
            raise usage(f"{self.name} has no namespace", "Write NAMESPACE/NAME, or name it with -n.")
        return ModelRef(namespace=self.namespace, name=self.name, kind=self.kind or Kind.INFERENCE_SERVICE)


def usage(message: str, next_action: str) -> CliError:
    return CliError(Exit.USAGE, message, next_action)


def targets(selection: Selection) -> list[Target]:
    """The models named, each once, in the order given. CliError (2): a name or kind that can't be one."""
    kind = parse_kind(selection.kind)
    return list(dict.fromkeys(_target(text, selection.namespace, kind) for text in selection.names))


def seconds(text: str, option: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise usage(f"{option}: {error}", "Correct the option.") from error


def parse_kind(text: str | None) -> Kind | None:
    try:
        return Kind.parse(text) if text else None
    except ValueError as error:
        raise usage(f"--kind: {error}", "Correct the option.") from error


def _target(text: str, namespace: str | None, kind: Kind | None) -> Target:
    before, slash, after = text.partition("/")
    target = Target(after, before, kind) if slash else Target(text, namespace, kind)
    try:
        ModelRef(namespace=target.namespace if target.namespace is not None else "any", name=target.name)
    except ValidationError as error:
        raise usage(
            f"{text!r} names no model: Kubernetes' names have lower case letters, digits, - and .",
            "Write NAME or NAMESPACE/NAME.",
        ) from error
    return target
