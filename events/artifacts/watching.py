"""A claim that is looked at again and again: one `artifact.written` for each new content of each artifact on it.

Polling, because inotify sees nothing of what other clients of a network file system write.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from events.artifact import ArtifactWritten, Completeness, Strategy
from events.artifacts.finding import Found, find
from events.artifacts.formats import check
from events.artifacts.reading import Changed, Reader
from events.artifacts.survey import Absent, Survey, Unfit, survey
from events.envelope import explain
from events.location import Location


@dataclass(frozen=True)
class Claim:
    """A claim and how it is watched. `chosen`: artifacts by their path on it; none: find them. `stable` in seconds."""

    name: str
    namespace: str
    root: Path
    chosen: tuple[str, ...] = ()
    stable: float = 15.0
    strategy: Strategy = Strategy.ROLLING
    check_formats: bool = True

    @property
    def source(self) -> str:
        """The CloudEvents `source` of its events."""
        return f"/modelswitch/claims/{self.namespace}/{self.name}"


@dataclass(frozen=True)
class News:
    """An artifact that is complete. The id is the same for the same writing of it, so that a restarted watcher repeats
    the same event; the same bytes written again (a model rolled back) are another.
    """

    id: str
    artifact: ArtifactWritten


@dataclass(slots=True)
class _Known:
    """What is remembered of one artifact: since when it looks as it does, and what was made of that."""

    fingerprint: bytes = b""
    since: float = 0.0
    settled: bool = False
    told: str | None = None
    reader: Reader = field(default_factory=Reader)


@dataclass
class ClaimWatch:
    """`complain` gets the reason why an artifact is not reported, once for each state of the artifact."""

    claim: Claim
    complain: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, _Known] = field(default_factory=dict)
    _complaints: dict[str, str] = field(default_factory=dict)

    def poll(self) -> Iterator[News]:
        """Looks once at everything. Yields each artifact whose content is new and complete, as soon as it is read."""
        found = self._found()
        self._forget(found)
        for place in found.artifacts:
            try:
                news = self._look(place)
            except Absent:
                self._known.pop(place, None)
                continue
            except Unfit as error:
                self._say(place, f"{error.message}. {error.next_action}")
                continue
            except OSError as error:
                self._say(place, f"can't be read: {error}")
                continue
            if news:
                self._complaints.pop(place, None)
                yield news

    def _found(self) -> Found:
        if self.claim.chosen:
            return Found(list(self.claim.chosen))
        found = find(self.claim.root)
        for place, why in found.unread.items():
            self._say(place, f"can't be listed: {why}")
        return found

    def _forget(self, found: Found) -> None:
        """What is gone may come back with the same content, and is then news."""
        there = set(found.artifacts)
        for place in [place for place in self._known if place not in there and not found.may_hold(place)]:
            del self._known[place]
            self._complaints.pop(place, None)

    def _look(self, place: str) -> News | None:
        seen = survey(self.claim.root / place)
        known = self._known.setdefault(place, _Known())
        if seen.fingerprint != known.fingerprint:
            known.fingerprint, known.since, known.settled = seen.fingerprint, self.clock(), False
        if known.settled:
            return None
        complete = self._complete(seen, self.clock() - known.since)
        if complete is None:
            return None
        try:
            digest = known.reader.digest(seen)
        except Changed:
            known.fingerprint = b""
            return None
        news = None if digest == known.told else self._checked(known, place, seen, digest, complete)
        known.settled, known.told = True, digest
        return news

    def _checked(self, known: _Known, place: str, seen: Survey, digest: str, complete: Completeness) -> News:
        """Unfit, and settled: it stays so until it is written again. OSError: the next look tries again."""
        try:
            if self.claim.check_formats:
                check(seen)
            return self._news(place, seen, digest, complete)
        except Unfit:
            known.settled = True
            raise

    def _complete(self, seen: Survey, quiet: float) -> Completeness | None:
        if seen.marked:
            return Completeness.SUCCESS_FILE
        return Completeness.STABLE if quiet >= self.claim.stable else None

    def _news(self, place: str, seen: Survey, digest: str, complete: Completeness) -> News:
        try:
            artifact = ArtifactWritten(
                uri=f"pvc://{self.claim.name}/{place}",
                namespace=self.claim.namespace,
                digest=digest,
                size=seen.size,
                complete=complete,
                written_by=f"claim {self.claim.namespace}/{self.claim.name}",
                strategy=self.claim.strategy,
            )
        except ValidationError as error:
            raise Unfit(f"it can't be named: {explain(error)}", "Rename it.") from error
        writing = f"{artifact.ref.subject}\n{digest}\n{seen.written}"
        return News(f"artifact-{hashlib.sha256(writing.encode()).hexdigest()[:32]}", artifact)

    def _say(self, place: str, what: str) -> None:
        if self._complaints.get(place) != what:
            self._complaints[place] = what
            self.complain(f"pvc://{self.claim.name}/{place}: {what}")


def places(subpaths: Sequence[str]) -> tuple[str, ...]:
    """The artifacts named on a claim, without slashes at their ends. ValueError: one that leaves it."""
    return tuple(dict.fromkeys(Location.parse(f"pvc://claim/{path}").path for path in subpaths))
