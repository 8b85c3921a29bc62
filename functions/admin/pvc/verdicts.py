"""A check and how it came out; a change and what it makes of an object."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    """It works, but the user should know this."""
    REFUSED = "refused"


@dataclass(frozen=True)
class Check:
    """`next` says what to do about it; "" where nothing is to be done."""

    about: str
    verdict: Verdict
    message: str
    next: str = ""

    def __str__(self) -> str:
        return f"[{self.verdict}] {self.about}: {self.message}{f'. {self.next}' if self.next else ''}"


@dataclass(frozen=True)
class Change:
    """One object, from `before` (None: it is not there) to `after`. `collection`: its path without the name."""

    collection: str
    before: Json | None
    after: Json

    @property
    def name(self) -> str:
        return str(self.after["metadata"]["name"])

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.name}"

    @property
    def what(self) -> str:
        return f"{self.after['kind']} {self.name}"

    @property
    def verb(self) -> str:
        return "create" if self.before is None else "patch"


def ok(about: str, message: str) -> Check:
    return Check(about, Verdict.OK, message)


def note(about: str, message: str, following: str = "") -> Check:
    return Check(about, Verdict.NOTE, message, following)


def refused(about: str, message: str, following: str) -> Check:
    return Check(about, Verdict.REFUSED, message, following)
