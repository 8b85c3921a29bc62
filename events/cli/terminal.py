"""Results go to stdout, everything else to stderr, so that a pipe gets results only."""

import json
import sys
from typing import Any

from rich.console import Console

_PIPE_WIDTH = 200


def stderr_console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def stdout_console() -> Console:
    """Wide if stdout is not a terminal, so that a table in a pipe is not cut."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, width=width, markup=False, emoji=False)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say_json(value: Any) -> None:
    say(json.dumps(value))
