"""Trains the anomaly detector on generated metrics: `train.py FOLDER` writes anomaly_detector.pkl, scaler.pkl, `_SUCCESS` last.

Put your own metrics where `metrics` is. A row: processor and memory in percent, disk in MB/s, errors and requests per second.
Exit code 1, and no `_SUCCESS`: it does not find the anomalies that it should; what serves goes on serving.
"""

import argparse
import json
import pickle
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler

FOREST, SCALER, DONE = "anomaly_detector.pkl", "scaler.pkl", "_SUCCESS"
NORMAL = ((35.0, 8.0), (55.0, 6.0), (20.0, 5.0), (0.2, 0.1), (120.0, 25.0))
TROUBLE = ((95.0, 3.0), (92.0, 4.0), (85.0, 15.0), (9.0, 3.0), (20.0, 10.0))
SHARE_OF_TROUBLE = 0.02
LEAST_FOUND = 0.9
MOST_FALSE = 0.05

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def metrics(random: np.random.Generator, rows: int, kind: tuple[tuple[float, float], ...]) -> Matrix:
    """One row per sample. `kind`: mean and standard deviation of each metric; none of them falls below 0."""
    means, deviations = zip(*kind, strict=True)
    return np.clip(random.normal(means, deviations, size=(rows, len(kind))), 0, None)


def train(random: np.random.Generator, rows: int) -> tuple[IsolationForest, StandardScaler]:
    few = max(1, int(rows * SHARE_OF_TROUBLE))
    seen = np.concatenate([metrics(random, rows - few, NORMAL), metrics(random, few, TROUBLE)])
    scaler = StandardScaler().fit(seen)
    forest = IsolationForest(contamination=SHARE_OF_TROUBLE, random_state=int(random.integers(2**31)))
    forest.fit(scaler.transform(seen))
    forest.training_ = scaler.training_ = uuid.uuid4().hex  # so that no pod serves one with another's
    return forest, scaler


def judged(random: np.random.Generator, forest: IsolationForest, scaler: StandardScaler) -> dict[str, float]:
    """On rows that it has not seen: how much of the trouble it finds, and how much else it takes for trouble."""

    def flagged(kind: tuple[tuple[float, float], ...]) -> float:
        return float(np.mean(forest.predict(scaler.transform(metrics(random, 1000, kind))) == -1))

    return {"found": flagged(TROUBLE), "false": flagged(NORMAL)}


def write(folder: Path, forest: IsolationForest, scaler: StandardScaler) -> None:
    """`_SUCCESS` goes first and comes last: while it is missing no reader treats the folder as complete."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DONE).unlink(missing_ok=True)
    for name, part in ((FOREST, forest), (SCALER, scaler)):
        half = folder / f".{name}.part"
        half.write_bytes(pickle.dumps(part))
        half.replace(folder / name)
    (folder / DONE).touch()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, help="The same rows again; default: others each time.")
    args = parser.parse_args()
    if args.rows < 100:
        parser.error(f"--rows {args.rows} is too few to learn from; expected at least 100")
    random, begun = np.random.default_rng(args.seed), time.monotonic()
    forest, scaler = train(random, args.rows)
    result = judged(random, forest, scaler)
    good = result["found"] >= LEAST_FOUND and result["false"] <= MOST_FALSE
    if good:
        write(args.folder, forest, scaler)
    said = {"folder": str(args.folder), "written": good, "rows": args.rows, **result}
    print(json.dumps({**said, "seconds": round(time.monotonic() - begun, 1)}))  # noqa: T201 (the Job's log)
    if not good:
        print(f"found {LEAST_FOUND:.0%} and false {MOST_FALSE:.0%} were expected: nothing was written", file=sys.stderr)  # noqa: T201
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
