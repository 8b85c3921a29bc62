"""Following models until a command has reached its end."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from events.cli.exits import CliError, Exit
from events.cli.names import Target
from events.cli.server import ModelServer
from events.cli.terminal import stderr_console
from events.cli.words import full_name, sentence, state_phrase
from events.commands import Verb
from events.status import ModelStatus, State

_POLL_SECONDS = 0.25
_LARGE = 5
_SILENCE_SECONDS = 30.0
_GOALS = {"stop": State.STOPPED, "start": State.RUNNING}
_DESIRED = {"stop": "stopped", "start": "running"}


@dataclass(frozen=True)
class Follower:
    """Asks the server for the models' states until each has reached the command's goal or an error.

    `deadline` is in seconds of time.monotonic. `by_event`: the command has no answer yet, so a model that
    still desires the opposite, or is in error, may not have received it.
    """

    server: ModelServer
    verb: Verb
    deadline: float
    by_event: bool = False

    def follow(self, statuses: Iterable[ModelStatus]) -> list[ModelStatus]:
        """The last status of each, in the order given. Every change on the way is told on stderr. CliError (5): time is over."""
        last = {_key(status): status for status in statuses}
        console = stderr_console()
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            tasks = {key: progress.add_task(sentence(status), total=None) for key, status in last.items()}
            for status in last.values():
                self._tell(console, status)
            for status in self._changes(last):
                self._tell(console, status)
                progress.update(tasks[_key(status)], description=sentence(status))
        return list(last.values())

    def _tell(self, console: Console, status: ModelStatus) -> None:
        """On the way only: the end is a result, and goes to stdout."""
        if not self.ended(status):
            console.print(sentence(status))

    def ended(self, status: ModelStatus) -> bool:
        return self.reached(status) or self.turned(status) or (status.state is State.ERROR and self._heard(status))

    def turned(self, status: ModelStatus) -> bool:
        """Another user or client requested the opposite in between. A queued start still desires what was requested."""
        return not self.by_event and status.desired != _DESIRED[self.verb] and not status.queued

    def _heard(self, status: ModelStatus) -> bool:
        return not self.by_event or status.desired == _DESIRED[self.verb]

    def reached(self, status: ModelStatus) -> bool:
        return status.state is _GOALS[self.verb]

    def _changes(self, last: dict[tuple[str, str, str], ModelStatus]) -> Iterator[ModelStatus]:
        """Yields a status when what is said about it changes; keeps `last` up to date."""
        heard = time.monotonic()
        while waiting := [status for status in last.values() if not self.ended(status)]:
            self._pause(waiting)
            try:
                seen = self._look(waiting)
                heard = time.monotonic()
            except CliError as error:
                if error.exit_code is not Exit.NOT_REACHABLE or time.monotonic() - heard > _SILENCE_SECONDS:
                    raise
                continue
            for status in seen:
                before = last.get(_key(status))
                if before is None:
                    continue
                last[_key(status)] = status
                if state_phrase(before) != state_phrase(status):
                    yield status

    def _pause(self, waiting: list[ModelStatus]) -> None:
        if time.monotonic() >= self.deadline:
            raise CliError(
                Exit.TIMED_OUT,
                "still waiting for " + ", ".join(f"{full_name(one)} ({one.state})" for one in waiting),
                "The command continues without this client; follow it with `modelswitch status` or `modelswitch watch`.",
            )
        time.sleep(min(_POLL_SECONDS, max(0.0, self.deadline - time.monotonic())))

    def _look(self, waiting: list[ModelStatus]) -> list[ModelStatus]:
        """A few models are asked for one by one, many by their namespaces' lists."""
        if len(waiting) <= _LARGE:
            return [self.server.status(Target(one.name, one.namespace, one.kind)) for one in waiting]
        namespaces = {one.namespace for one in waiting}
        return [status for namespace in namespaces for status in self.server.models({"namespace": namespace})]


def _key(status: ModelStatus) -> tuple[str, str, str]:
    return status.namespace, status.name, status.kind.value
