"""`python -m fuzz`: parser, objects and model servers in this process, functions and API over HTTP.

The last line gives the figures.
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from fuzz.run import Plan, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument(
        "--calls",
        type=int,
        default=50_000,
        help="in all: 32 %% parser, 25 %% functions, 10 %% API, 20 %% Kubernetes objects, 3 %% rounds of the timer, 10 %% model servers",
    )
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its processes must not outlive it
    plan = Plan.of(given.calls, given.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="modelswitch-fuzz-") as folder:
        outcome = run(plan, Path(folder))
    outcome.findings.report()
    print(f"{outcome.line} seed={given.seed} seconds={time.monotonic() - began:.0f}")
    return int(bool(outcome.findings.found))


if __name__ == "__main__":
    sys.exit(main())
