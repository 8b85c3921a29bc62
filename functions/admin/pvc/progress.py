"""What `apply` reports while it runs: one line per step, on stderr, and a progress bar at a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

Advance = Callable[[int], None]


@dataclass
class Teller:
    """`say` repeats nothing that it said last."""

    console: Console
    _last: str = field(default="")

    def say(self, line: str) -> None:
        if line != self._last:
            self.console.print(line)
        self._last = line

    @contextmanager
    def bytes(self, what: str, total: int) -> Iterator[Advance]:
        """Yields what takes the number of bytes done so far."""
        if not self.console.is_terminal:
            yield self._tenths(what, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda done: progress.update(task, completed=done)

    def _tenths(self, what: str, total: int) -> Advance:
        """In a log: a line for each tenth."""
        told = 0

        def advance(done: int) -> None:
            nonlocal told
            tenth = done * 10 // max(total, 1)
            if tenth > told:
                told = tenth
                self.say(f"{what}: {tenth * 10} % of {total} bytes")

        return advance
