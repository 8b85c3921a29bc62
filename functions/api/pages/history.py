"""What happened to a model, step by step, and what its starts took: from the audit, as far back as that is kept."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from events.model import ModelRef
from functions.api.context import Api
from functions.lifecycle.effects import Action, AuditEntry
from functions.lifecycle.reasons import advice

DEPTH = 200
_TAKEN_INTO_ACCOUNT = 10


@dataclass(frozen=True)
class Step:
    """One line of a timeline. `took`: seconds in the state that ended here, or since a reload's step before, where that
    beginning is known too. `claims`: who the sender says it is. `in_all`: seconds since the reload was accepted that
    ended here.
    """

    time: datetime
    title: str
    who: str
    claims: str | None
    outside: bool
    state: str | None
    reason: str | None
    message: str | None
    code: str | None
    source: str | None
    event_id: str | None
    took: float | None
    bad: bool
    in_all: float | None = None


@dataclass(frozen=True)
class Failure:
    """The latest occurrence of one kind of error, with what to do about it."""

    time: datetime
    reason: str
    message: str
    next_action: str | None
    times: int


@dataclass(frozen=True)
class Starts:
    """What starts took, in seconds, the latest first. `expected`: the median of the last ten."""

    seconds: tuple[float, ...]

    @property
    def expected(self) -> float | None:
        return median(self.seconds[:_TAKEN_INTO_ACCOUNT]) if self.seconds else None


async def read_histories(api: Api, refs: Collection[ModelRef], depth: int = DEPTH) -> dict[ModelRef, list[AuditEntry]]:
    """Of each its last `depth` entries, newest first."""
    return await api.parts.store.histories(list(refs), depth)


def timeline(entries: list[AuditEntry]) -> list[Step]:
    """`entries` newest first, as the result."""
    began: datetime | None = None
    reload = _Reload()
    steps: list[Step] = []
    for entry in reversed(entries):
        if times := reload.times(entry):
            steps.append(_step(entry, *times))
            continue
        moved = (
            entry.action in {Action.STATE, Action.ADOPTED, Action.STOP, Action.START}
            and not entry.code
            and entry.state is not None
        )
        took = (entry.time - began).total_seconds() if began and entry.previous not in {None, entry.state} else None
        steps.append(_step(entry, took))
        if moved and (entry.changed or entry.previous != entry.state):
            began = entry.time
    return steps[::-1]


@dataclass
class _Reload:
    """The reload that a timeline has come to: when it was accepted, and its last step."""

    accepted: datetime | None = None
    last: datetime | None = None

    def times(self, entry: AuditEntry) -> tuple[float | None, float | None] | None:
        """Seconds since its last step, and in all where it ends here; None where the entry is no later step of a reload."""
        if entry.action == Action.RELOAD and entry.changed and not entry.code:
            self.accepted = self.last = entry.time
        if entry.action not in {Action.RELOAD_PODS, Action.RELOADED, Action.RELOAD_FAILED}:
            return None
        took = (entry.time - self.last).total_seconds() if self.last else None
        whole = (entry.time - self.accepted).total_seconds() if self.accepted else None
        self.last = entry.time
        if entry.action == Action.RELOAD_PODS:
            return took, None
        self.accepted = self.last = None
        return took, whole


def _step(entry: AuditEntry, took: float | None, in_all: float | None = None) -> Step:
    return Step(
        time=entry.time,
        title=title_of(entry),
        who=entry.actor.removeprefix("external:"),
        claims=entry.claimed_actor,
        outside=entry.actor.startswith("external:"),
        state=entry.state,
        reason=entry.reason,
        message=entry.message,
        code=entry.code,
        source=entry.source,
        event_id=entry.event_id,
        took=took,
        bad=bool(entry.code)
        or entry.state == "error"
        or entry.action in {Action.DEAD_LETTER, Action.POISON, Action.RELOAD_FAILED},
        in_all=in_all,
    )


def title_of(entry: AuditEntry) -> str:
    """What happened, in a few words."""
    if entry.action == Action.DEAD_LETTER:
        return "An event could not be delivered"
    if entry.action == Action.NOT_PUBLISHED:
        return "An event could not be published"
    if entry.action == Action.UNREADABLE:
        return "An entry that can't be read"
    if entry.action == Action.ARTIFACT_WRITTEN:
        return "News of an artifact refused" if entry.code else "An artifact was written"
    if entry.code:
        return f"{entry.action.capitalize()} refused"
    match entry.action:
        case Action.RELOAD_PODS:
            return "New pods are made"
        case Action.RELOADED:
            return "Reloaded"
        case Action.RELOAD_FAILED:
            return "Not loaded"
        case Action.ADOPTED:
            return f"First seen: {entry.state}"
        case Action.STATE:
            return f"Still {entry.state}" if entry.previous == entry.state else f"Now {entry.state}"
        case Action.DELETED:
            return "Deleted"
        case _ if entry.changed:
            place = " from outside" if entry.actor.startswith("external:") else ""
            return f"{entry.action.capitalize()} accepted" if not place else f"{entry.action.capitalize()}{place}"
        case _:
            return f"{entry.action.capitalize()} asked for; nothing to do"


def starts_of(entries: list[AuditEntry]) -> Starts:
    """From the acceptance of a start to the model's first answer as running."""
    found: list[float] = []
    began: datetime | None = None
    for entry in reversed(entries):
        if entry.action == Action.START and entry.changed and not entry.code:
            began = entry.time
        elif entry.action == Action.STOP and entry.changed:
            began = None
        elif entry.action == Action.STATE and entry.state == "running" and began:
            found.append((entry.time - began).total_seconds())
            began = None
    return Starts(tuple(found[::-1]))


def failures_of(entries: list[AuditEntry], most: int = 5) -> list[Failure]:
    """Each kind of error once, the latest first."""
    found: dict[str, Failure] = {}
    for entry in entries:
        reason = entry.code or (entry.reason if entry.state == "error" else None)
        if reason is None:
            continue
        known = found.get(reason)
        if known:
            found[reason] = Failure(known.time, reason, known.message, known.next_action, known.times + 1)
        else:
            found[reason] = Failure(entry.time, reason, entry.message or "", advice(reason), 1)
    return list(found.values())[:most]
