"""What the supervisor starts, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

WATCHING = "[watching]"
"""What a part that has no port writes into the line that says that it watches: the supervisor looks for this mark alone."""


@dataclass(frozen=True)
class Answers:
    """Ready when GET on it answers 200."""

    url: str


@dataclass(frozen=True)
class Pongs:
    """Ready when the Redis server on this port of the loopback answers PING."""

    port: int


@dataclass(frozen=True)
class Says:
    """Ready when it prints a line with this text."""

    text: str


@dataclass(frozen=True)
class Ends:
    """Ready when it has ended with exit code 0: something to be done once, and again when one of its needs restarts."""


Ready = Answers | Pongs | Says | Ends
Imports = Literal["none", "web", "all"]


@dataclass(frozen=True)
class Part:
    """One process.

    `program` is a Python module, or a path to run as it is. `needs`: names of parts that must be ready before it starts.
    `imports`: what is already imported where it starts. "none": a fresh Python, at once; "web": forked as soon as the web
    server's modules are in; "all": forked when everything that the functions share is.
    `last`: told to end only after the others have ended, because they talk to it while they end.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    ready: Ready
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    imports: Imports = "all"
    last: bool = False
