"""The anomaly detector's server: KServe's, with an IsolationForest and the scaler that it was trained with.

V1 `{"instances": [[…], …]}`, rows of as many numbers as it was trained on, is answered with
`{"predictions": [1 | -1, …], "anomaly_scores": [float, …]}`: -1 is an anomaly, its score is below 0.

It behaves as KServe's sklearnserver does (kserve/kserve python/sklearnserver): nothing in the folder starts it WITHOUT
a model, and each request gets 404; what is there and can't be used ends it, so that in a rolling update the pod
before it goes on serving. Unpickling runs code: a user who may write to the folder decides what runs here.
"""

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import kserve
import numpy as np
from kserve.errors import InvalidInput, ModelMissingError
from kserve.logging import configure_logging, logger
from prometheus_client import Counter

FOREST, SCALER = "anomaly_detector.pkl", "scaler.pkl"
MOST_ROWS = 10_000
VERDICTS = Counter("anomaly_detector_rows", "Rows by what they were predicted to be", ["model_name", "verdict"])

Matrix = np.ndarray[Any, np.dtype[np.float64]]


class Batches:
    """Scores together what came while the batch before was in progress: a forest needs about as long for 100 rows as for one."""

    def __init__(self, score: Callable[[Matrix], Matrix]) -> None:
        self._score = score
        self._waiting: list[tuple[Matrix, asyncio.Future[Matrix]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def scores(self, rows: Matrix) -> Matrix:
        answer: asyncio.Future[Matrix] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, answer))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            batch = self._next()
            try:
                scores = await asyncio.to_thread(self._score, np.concatenate([rows for rows, _ in batch]))
            except Exception as error:  # noqa: BLE001 (each request of the batch is told, as if it had been alone)
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            begin = 0
            for rows, answer in batch:
                if not answer.done():
                    answer.set_result(scores[begin : begin + len(rows)])
                begin += len(rows)

    def _next(self) -> list[tuple[Matrix, "asyncio.Future[Matrix]"]]:
        """In the order in which they came, as many as `MOST_ROWS` allows, and at least one."""
        taken, rows = 1, len(self._waiting[0][0])
        while taken < len(self._waiting) and rows + len(self._waiting[taken][0]) <= MOST_ROWS:
            rows += len(self._waiting[taken][0])
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch


class AnomalyDetector(kserve.Model):
    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.folder = folder
        self.ready = False
        self._batches = Batches(self._score)

    def load(self) -> bool:
        """ModelMissingError: there is nothing. RuntimeError: what there is does not fit together."""
        missing = [name for name in (FOREST, SCALER) if not (self.folder / name).is_file()]
        if len(missing) == 2:
            raise ModelMissingError(str(self.folder))
        if missing:
            raise RuntimeError(f"{self.folder} has no {missing[0]}, expected {FOREST} and {SCALER}: train it again")
        self._forest, self._scaler = joblib.load(self.folder / FOREST), joblib.load(self.folder / SCALER)
        self._check()
        self.ready = True
        return self.ready

    def _check(self) -> None:
        """A pod may start between the writing of one file and of the other."""
        forest, scaler = (getattr(part, "training_", None) for part in (self._forest, self._scaler))
        if forest != scaler:
            raise RuntimeError(
                f"{FOREST} is of training {forest}, {SCALER} of {scaler}: wait for the end of the training"
            )
        if self._forest.n_features_in_ != self._scaler.n_features_in_:
            counts = f"{self._forest.n_features_in_} and {self._scaler.n_features_in_}"
            raise RuntimeError(
                f"{FOREST} and {SCALER} take rows of {counts} numbers, expected the same: train it again"
            )

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> dict[str, list[Any]]:  # noqa: ARG002 (KServe's signature)
        rows = rows_of(payload, self._scaler.n_features_in_)
        scores = await self._batches.scores(rows)
        anomalies = int(np.count_nonzero(scores < 0))
        VERDICTS.labels(self.name, "anomaly").inc(anomalies)
        VERDICTS.labels(self.name, "normal").inc(len(scores) - anomalies)
        return {"predictions": np.where(scores < 0, -1, 1).tolist(), "anomaly_scores": scores.tolist()}

    def _score(self, rows: Matrix) -> Matrix:
        """Below 0 is what `IsolationForest.predict` calls -1, without its second walk through the trees."""
        scores: Matrix = self._forest.decision_function(self._scaler.transform(rows))
        return scores


def rows_of(payload: Any, width: int) -> Matrix:
    """InvalidInput, which KServe answers with 400, says what is wrong with it."""
    expected = f'expected {{"instances": [[…], …]}}, up to {MOST_ROWS} rows of {width} numbers each'
    if not isinstance(payload, dict) or "instances" not in payload:
        raise InvalidInput(f"no instances in the request: {expected}, as application/json (protocol V1)")
    instances = payload["instances"]
    if not isinstance(instances, list) or not instances:
        raise InvalidInput(f"instances is not a list with rows in it: {expected}")
    if len(instances) > MOST_ROWS:
        raise InvalidInput(f"{len(instances)} rows in one request: {expected}; send several requests")
    for number, row in enumerate(instances):
        if not isinstance(row, list) or len(row) != width:
            got = f"{len(row)} values" if isinstance(row, list) else type(row).__name__
            raise InvalidInput(f"row {number} is {got}: {expected}")
    if any(type(value) not in {int, float} for row in instances for value in row):
        raise InvalidInput(f"a value is not a number: {expected}")
    rows = np.asarray(instances, dtype=np.float64)
    if not np.isfinite(rows).all():
        raise InvalidInput(f"a value is not finite: {expected}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--model_dir", default="/mnt/models", type=Path)
    args, _ = parser.parse_known_args()
    configure_logging(args.log_config_file)
    model = AnomalyDetector(args.model_name, args.model_dir)
    try:
        model.load()
    except ModelMissingError:
        logger.error("neither %s nor %s in %s: starting without a model", FOREST, SCALER, args.model_dir)
        kserve.ModelServer().start([])
    else:
        kserve.ModelServer().start([model])


if __name__ == "__main__":
    main()
