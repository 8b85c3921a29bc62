"""Where the other suites' modules are found that this one shares."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def add() -> None:
    for folder in ("tests/faults", "tests/functions", "tests/contract"):
        place = str(ROOT / folder)
        if place not in sys.path:
            sys.path.insert(0, place)
