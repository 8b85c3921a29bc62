"""Running the command line: its own entry point with real arguments, in this process because that is ten times as quick.

What needs a process of its own (signals, streams) starts one with `environment`.
"""

import contextlib
import io
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from events.cli import main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def environment(url, **extra):
    """This process's environment without settings of ours, with the API at `url`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MODELSWITCH", "K_"))}
    return {**kept, "MODELSWITCH_URL": url, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200", **extra}


def command(api_or_url, *words, stdin="", **extra):
    """`modelswitch WORDS` with the API at that address: exit code and what it wrote."""
    url = getattr(api_or_url, "url", api_or_url)
    out, err = io.StringIO(), io.StringIO()
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        with (
            mock.patch.dict(os.environ, environment(url, **extra), clear=True),
            mock.patch.object(sys, "argv", ["modelswitch", *words]),
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            main.run()
    except SystemExit as end:
        return Done(int(end.code or 0), out.getvalue(), err.getvalue())
    finally:
        signal.signal(signal.SIGINT, interrupt)
