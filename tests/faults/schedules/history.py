"""Everything that happened, in the order in which it was seen at the proxies: what the judge goes by."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """`key`: a command's source and id. `what` and its `more`:

    sent {verb, by} · answered {status, final, accepted} · claimed {sequence, redelivered} · committed {outcome, changed} ·
    patched {before, after: is the stop set; leased: was it done under a lease}, only what was answered 200 ·
    noted: on the model, as a stop that found it stopped while Redis was away · outside {after} · data-lost {since} ·
    dead-letter {status} · fault, killed, note: for the reader.
    """

    number: int
    seconds: float
    what: str
    model: str | None = None
    key: str | None = None
    process: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = [f"{self.seconds:8.3f}", f"{self.what:<11}", self.model or "-", self.key or "-", self.process or "-"]
        return " ".join([*words, *(f"{name}={value}" for name, value in self.more.items())])


@dataclass(frozen=True)
class Last:
    """What was there after the resync: `stop` on the model, `disagreements` in words."""

    stop: dict[str, bool]
    disagreements: tuple[str, ...] = ()


class History:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.last = Last({})
        self._begun = time.monotonic()

    def add(
        self, what: str, *, model: str | None = None, key: str | None = None, process: str | None = None, **more: Any
    ) -> Entry:
        entry = Entry(len(self.entries), time.monotonic() - self._begun, what, model, key, process, more)
        self.entries.append(entry)
        return entry

    def of(self, *what: str, model: str | None = None) -> list[Entry]:
        return [entry for entry in self.entries if entry.what in what and model in (None, entry.model)]

    @classmethod
    def read(cls, path: Path) -> "History":
        """What `write` wrote."""
        *entries, last = [json.loads(line) for line in path.read_text().splitlines()]
        history = cls()
        history.entries = [Entry(**entry) for entry in entries]
        history.last = Last(last["stop"], tuple(last["disagreements"]))
        return history

    def write(self, path: Path) -> None:
        """JSON lines: the entries, and then the last word."""
        lines = [*(asdict(entry) for entry in self.entries), asdict(self.last)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def __str__(self) -> str:
        return "\n".join(str(entry) for entry in self.entries)
