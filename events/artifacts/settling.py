"""Waiting until an artifact is no longer being written, and recording how that is known."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from events.artifact import Completeness
from events.artifacts.reading import Changed, Reader
from events.artifacts.survey import MARKER, Absent, Survey, Unfit, survey
from events.duration import format_duration

_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Rule:
    """When an artifact counts as complete. Seconds.

    `success_file` True: only with a `_SUCCESS` that is younger than all else; None: also, where it is there; False: it is
    not looked at. `stable`: how long sizes and times must stay as they are; 0: the sender's word is taken. `wait`: how
    long all that may take. `digest` and `size`: what the sender says was written, None where it does not say.
    """

    success_file: bool | None = None
    stable: float = 30.0
    wait: float = 600.0
    digest: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Whole:
    """An artifact that was complete when it was read."""

    digest: str
    size: int
    complete: Completeness


@dataclass
class Settling:
    """One artifact at `path` until it is complete and has been read."""

    path: Path
    rule: Rule
    reader: Reader = field(default_factory=Reader)

    def whole(self) -> Whole:
        """Absent, Unfit: see survey(), and Unfit when the time to wait is over."""
        since, before = time.monotonic(), b""
        for seen in self._looks():
            if seen.fingerprint != before:
                since, before = time.monotonic(), seen.fingerprint
                if found := self._as_declared(seen):
                    return found
            if why := self._complete(seen, time.monotonic() - since):
                try:
                    return Whole(self.reader.digest(seen), seen.size, why)
                except Changed:
                    before = b""
        raise Unfit(self._unfinished(), "Publish when it is written, or wait longer with --wait.")

    def _looks(self) -> Iterator[Survey]:
        """Looks until the time is over, the last at its very end. What is not there yet is waited for only if its marker is."""
        ends = time.monotonic() + self.rule.wait
        while True:
            last = time.monotonic() >= ends
            try:
                yield survey(self.path)
            except Absent:
                if last or not self.rule.success_file:
                    raise
            if last:
                return
            time.sleep(max(0.0, min(_LOOK_SECONDS, self.rule.stable or _LOOK_SECONDS, ends - time.monotonic())))

    def _as_declared(self, seen: Survey) -> Whole | None:
        """Content that has the digest it should have is whole, however young it is."""
        if self.rule.digest is None or self.rule.size != seen.size:
            return None
        try:
            digest = self.reader.digest(seen)
        except Changed:
            return None
        return Whole(digest, seen.size, Completeness.DECLARED) if digest == self.rule.digest else None

    def _complete(self, seen: Survey, quiet: float) -> Completeness | None:
        if self.rule.success_file is not False and seen.marked:
            return Completeness.SUCCESS_FILE
        if self.rule.success_file or quiet < self.rule.stable:
            return None
        return Completeness.STABLE if self.rule.stable else Completeness.DECLARED

    def _unfinished(self) -> str:
        waited = format_duration(self.rule.wait)
        if self.rule.success_file:
            return f"{self.path} has no {MARKER} that is younger than everything else in it, after {waited}"
        return f"{self.path} is still being written: it did not stay the same for {format_duration(self.rule.stable)} within {waited}"
