"""Looking until nothing differs and nothing is starting."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from functions.admin.verify.judging import Row
from functions.admin.verify.table import name
from functions.lifecycle.errors import ClusterUnavailable

PAUSE_SECONDS = 1.0
_SILENCE_SECONDS = 30.0


@dataclass
class Waiting:
    """`seconds` 0: one look. `console`: where progress is shown."""

    seconds: float
    console: Console
    pause: float = PAUSE_SECONDS
    _told: dict[str, str] = field(default_factory=dict)

    async def until_settled(self, look: Callable[[], Awaitable[Sequence[Row]]]) -> Sequence[Row]:
        """The last look's rows: all settled, or time is over. An API server that is away for a moment is waited for."""
        begun = heard = time.monotonic()
        rows: Sequence[Row] = await look()
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        shown = self.console.is_terminal and self.seconds > 0
        with Progress(*columns, console=self.console, transient=True, disable=not shown) as progress:
            task = progress.add_task(_summary(rows), total=None)
            while not all(row.settled for row in rows) and time.monotonic() - begun < self.seconds:
                self._tell(rows)
                progress.update(task, description=_summary(rows))
                await asyncio.sleep(min(self.pause, max(0.0, self.seconds - (time.monotonic() - begun))))
                try:
                    rows = await look()
                    heard = time.monotonic()
                except ClusterUnavailable:
                    if time.monotonic() - heard > _SILENCE_SECONDS:
                        raise
            if self.seconds:
                self._tell(rows)
        return rows

    def _tell(self, rows: Sequence[Row]) -> None:
        """A line for each change."""
        for row in rows:
            line = f"{row.standing}: {row.what}" if row.what else row.standing.value
            if self._told.get(name(row)) != line:
                self._told[name(row)] = line
                self.console.print(f"{name(row)}: {line}")


def _summary(rows: Sequence[Row]) -> str:
    waiting = [row for row in rows if not row.settled]
    first = f": {name(waiting[0])}, {waiting[0].standing}" if waiting else ""
    return f"{len(rows) - len(waiting)} of {len(rows)} settled{first}"
