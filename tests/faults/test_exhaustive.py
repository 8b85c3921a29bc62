"""A small part of the exhaustive search, for every run of the tests; `make faults` goes far beyond.

With FAULTS=whole it is as large as a planted bug needs to be seen (test_planted_bugs.py).
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit" / "lifecycle"))

from scenarios import SCENARIOS
from search import Search

WHOLE = os.environ.get("FAULTS") == "whole"


@pytest.mark.parametrize(
    ("name", "states"), [("everything", 8_000 if WHOLE else 1_500), ("over REST", 5_000 if WHOLE else 1_000)]
)
def test_no_state_within_reach_breaks_a_promise(name, states):
    found = Search(SCENARIOS[name]).run(states)
    print(f"{found.states} states, depth {found.depth}, {found.seconds:.1f} s")
    assert found.violation is None, found.violation
    assert found.states >= states


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_random_walk_breaks_a_promise(name):
    found = Search(SCENARIOS[name]).wander(walks=30 if WHOLE else 4, length=80, seed=1)
    print(f"{found.states} states, {found.seconds:.1f} s")
    assert found.violation is None, found.violation
