"""`python -m schedules --schedules N --seed S`: plays, judges, prints what failed, and the figures last."""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from schedules.history import History
from schedules.judge import Verdict, judge
from schedules.play import Played
from schedules.worlds import Sprung, play_all


async def run(first: int, count: int, folder: Path) -> bool:
    """Whether nothing was lost, stale, doubled or diverged."""
    total, sprung = Verdict(), Sprung()
    ticks, unharmed = Counter[int](), 0
    async for played in play_all(range(first, first + count), folder, sprung):
        total += played.verdict
        ticks[played.ticks] += 1
        unharmed += not played.history.of("data-lost")
        tell(played, folder)
    print(f"ticks until all agreed: {dict(sorted(ticks.items()))}")
    tell_faults(sprung)
    print(f"in {unharmed} schedules Redis lost no data")
    print(total.figures(count))
    return total.good


def judge_again(folder: Path) -> bool:
    """Histories outlive a judge: what an earlier one said of them can be asked again."""
    total = Verdict()
    paths = sorted(folder.glob("*.jsonl"))
    for path in paths:
        verdict = judge(History.read(path))
        total += verdict
        print(
            *([f"{path}:", *verdict.findings] if verdict.findings else []),
            sep="\n  ",
            end="\n" * bool(verdict.findings),
        )
    print(total.figures(len(paths)))
    return total.good


def tell(played: Played, folder: Path) -> None:
    """A line for each schedule; the whole history of one that failed."""
    seed, verdict = played.schedule.seed, played.verdict
    events = len(played.schedule.events)
    print(f"seed={seed} events={events} ticks={played.ticks} {played.seconds:.1f}s {verdict.figures(1)}", flush=True)
    played.history.write(folder / f"{seed}.jsonl")
    if verdict.good:
        return
    print(f"\nseed {seed} failed:", *verdict.findings, sep="\n  ")
    print("its history (s, what, model, command, process):", played.history, sep="\n")
    print(f"again: make faults-schedules SEED={seed} N=1 (the same schedule; real processes keep their own time)\n")


def tell_faults(sprung: Sprung) -> None:
    """Where processes were killed: how often before and after which I/O."""
    kills = {key: times for key, times in sprung.items() if key[0] == "kill"}
    points = Counter[tuple[str, str]]()
    for (_, process, moment, io), times in kills.items():
        points[process, f"{moment} {io}"] += times
    print(f"killed {points.total()} times at {len(points)} different points:")
    for (process, where), times in sorted(points.items()):
        print(f"  {process:<10} {where:<40} {times}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m schedules", description=__doc__)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="for logs and histories; default: a temporary one")
    parser.add_argument(
        "--judge", type=Path, metavar="FOLDER", help="judge the histories in it once more, and play none"
    )
    given = parser.parse_args()
    if given.judge:
        return 0 if judge_again(given.judge) else 1
    folder = given.folder or Path(tempfile.mkdtemp(prefix="schedules-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"logs and histories: {folder}", flush=True)
    return 0 if asyncio.run(run(given.seed, given.schedules, folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
