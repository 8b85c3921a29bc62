"""Prints the table of states into docs/states.md, from the very rules that decide. `--check` only compares."""

import sys
from pathlib import Path

from functions.lifecycle.reasons import ADVICE
from functions.lifecycle.rules import RULES

TARGET = Path("docs/states.md")
_HEAD = """# States

Generated from `functions/lifecycle/rules.py`; change the rules there and run `make generate`.

A state is never stored as the truth: each observation derives it from the model's object and its pods. The first line
that holds decides. So every state can follow every other, and an error heals when its cause goes.

| # | what is seen | state | reason |
|---|---|---|---|
"""
_MOVES = """
## How a model moves

| from | to | by |
|---|---|---|
| running, starting, error | stopping | a stop (REST, command line, event, or KServe's annotation set by any user) |
| stopping | stopped | the last pod is gone and KServe says Stopped; the receipt is written |
| stopping | error | pods outlive their grace (PodsNotGone), or KServe does nothing (StopIgnored) |
| stopping | starting | a queued start, when the last pod is gone |
| stopped | starting | a start (REST, command line, event, or the annotation removed by any user) |
| starting | running | KServe says Ready and a pod is ready, or it idles at zero |
| starting, running | error | a pod can't run, the quota is exceeded, the start deadline passes |
| error | running, starting, stopped | the cause goes |

## What to do about an error

| reason | next |
|---|---|
"""


def render() -> str:
    rows = [
        f"| {number} | {rule.condition} | {rule.state} | {rule.reasons} |" for number, rule in enumerate(RULES, start=1)
    ]
    advice = [f"| {reason} | {text} |" for reason, text in ADVICE.items()]
    return _HEAD + "\n".join(rows) + "\n" + _MOVES + "\n".join(advice) + "\n"


def main() -> int:
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(render())
        return 0
    if TARGET.exists() and TARGET.read_text() == render():
        return 0
    sys.stderr.write(f"{TARGET} is stale; run `make generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
