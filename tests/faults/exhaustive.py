"""`make faults`: walk through every state that commands, crashes, notifications and the cluster can bring about, and judge each.

Ends with 1 and the shortest path where something is wrong. Scenarios stand in scenarios.py, what is judged in search.py.
"""

import argparse
import resource
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "unit" / "lifecycle")]

from scenarios import SCENARIOS
from search import Found, Search

SHARE_OF_OTHERS = 10
WALK = 80


def main() -> int:
    arguments = _arguments()
    total = 0
    for name in arguments.scenario or SCENARIOS:
        bounds = SCENARIOS[name]
        most = arguments.states if name == "everything" else arguments.states // SHARE_OF_OTHERS
        found = Search(bounds).run(most, lambda depth, states: print(f"  depth {depth}: {states} states", flush=True))
        _print(name, found)
        if found.violation:
            return 1
        total += found.states
        walked = Search(bounds).wander(arguments.walks, WALK, arguments.seed)
        _print(f"{name}, {arguments.walks} random walks of {WALK} moves from seed {arguments.seed}", walked)
        if walked.violation:
            return 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"exhaustive: states={total} violations=0 (peak memory {memory} MiB)")
    return 0


def _print(name: str, found: Found) -> None:
    end = "all there are" if found.complete else "the bound"
    print(f"{name}: {found.states} distinct canonical states to depth {found.depth} ({end}), {found.seconds:.0f} s")
    if found.violation:
        print(f"VIOLATED, by the shortest path that was found:\n{found.violation}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=1_000_000, help="of the scenario with everything; others a tenth")
    parser.add_argument("--walks", type=int, default=200, help="random walks beside each search")
    parser.add_argument("--seed", type=int, default=1, help="of the random walks")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
