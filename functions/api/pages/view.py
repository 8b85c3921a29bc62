"""Which models a page shows, and in which order: all of it in the URL, so that a view can be shared."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from events.model import Kind
from events.status import URGENCY, State
from functions.api.overview import Line

PAGE_ROWS = 50
SORTS = ("name", "state", "gpus", "memory", "since")
_LONGEST = 200


@dataclass(frozen=True)
class View:
    """Empty lets everything through. `sort` carries a minus where it is turned round. Pages count from 1."""

    state: str = ""
    namespace: str = ""
    kind: str = ""
    q: str = ""
    sort: str = "name"
    group: str = ""
    page: int = 1

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "View":
        """What can't be understood counts as not given: a URL that was cut off still shows something."""
        page = given.get("page", "")
        sort = given.get("sort", "name")
        return cls(
            state=_one_of(given.get("state", ""), [state.value for state in State]),
            namespace=given.get("namespace", "")[:_LONGEST],
            kind=_one_of(given.get("kind", ""), [kind.value for kind in Kind]),
            q=given.get("q", "").strip()[:_LONGEST],
            sort=sort if sort.removeprefix("-") in SORTS else "name",
            group=_one_of(given.get("group", ""), ["namespace"]),
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
        )

    def url(self, **changes: Any) -> str:
        """The same view with these changes, from its first page unless a page is named."""
        after = asdict(replace(self, page=1)) | changes
        initial = asdict(View())
        words = {name: value for name, value in after.items() if value != initial[name]}
        return f"/?{urlencode(words)}" if words else "/"

    @property
    def filtered(self) -> bool:
        return bool(self.state or self.namespace or self.kind or self.q)

    def turned(self, name: str) -> str:
        """What a click on this column's head sorts by."""
        return f"-{name}" if self.sort == name else name

    def fits(self, line: Line) -> bool:
        return self.fits_all_but_state(line) and self.state in {"", line.state.value}

    def fits_all_but_state(self, line: Line) -> bool:
        return (
            self.namespace in {"", line.ref.namespace}
            and self.kind in {"", line.ref.kind.value}
            and all(word in line.found for word in self.q.lower().split())
        )

    def ordered(self, lines: list[Line]) -> list[Line]:
        """Namespace and name decide where the wanted order does not; a group keeps its namespaces together."""
        name = self.sort.removeprefix("-")
        found = sorted(lines, key=lambda line: (line.ref.name, line.ref.namespace, line.ref.kind.value))
        found.sort(key=lambda line: _sort_key(name, line), reverse=self.sort.startswith("-"))
        if self.group:
            found.sort(key=lambda line: line.ref.namespace)
        return found


def _sort_key(name: str, line: Line) -> Any:
    """GPUs, memory: the most first. Since: the latest first. State: what needs attention first."""
    match name:
        case "state":
            return URGENCY[line.state]
        case "gpus":
            return -(line.gpus or (line.freed.gpus / 1e6 if line.freed else 0))
        case "memory":
            return -line.memory
        case "since":
            return -(line.since.timestamp() if line.since else 0)
        case _:
            return line.ref.name


def _one_of(given: str, known: list[str]) -> str:
    return given if given in known else ""
