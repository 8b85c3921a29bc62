"""KServe's own Python server with a scikit-learn model: what the pods of the end-to-end tests run.

Behaves as KServe's sklearnserver does, which PyPI does not carry (kserve/kserve python/sklearnserver):
- exactly one *.joblib, *.pkl or *.pickle in `--model_dir` is the model; one that can't be unpickled ends the process;
- an empty folder starts the server WITHOUT a model: the pod gets Ready, and every request answers 404.

Its own limit of 30 s for requests in flight at SIGTERM (`grace_period`, which no argument sets) is lifted, so that the
pod's grace alone decides. Two additions for tests: where `--model_dir` does not exist (no storageUri) it serves iris, trained in memory, and
`"sleep_seconds": N` in a V1 payload holds that request for N seconds, so that a stop can meet a request in flight.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import joblib
import kserve
from kserve.errors import InferenceError, ModelMissingError
from kserve.logging import configure_logging, logger
from kserve.model_repository import ModelRepository
from kserve.utils.utils import get_predict_input, get_predict_response
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

GRACE_SECONDS = 3600
MODEL_SUFFIXES = {".joblib", ".pkl", ".pickle"}


def train_iris() -> Any:
    features, labels = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=500).fit(features, labels)


def read_model(folder: Path) -> Any:
    if not folder.exists():
        return train_iris()
    files = [path for path in folder.iterdir() if path.is_file() and path.suffix in MODEL_SUFFIXES]
    if not files:
        raise ModelMissingError(folder)
    if len(files) > 1:
        raise RuntimeError(f"{folder} holds {len(files)} model files, expected one: remove all but one of {files}")
    return joblib.load(files[0])


class SklearnModel(kserve.Model):
    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.folder = folder
        self.ready = False

    def load(self) -> bool:
        self.classifier = read_model(self.folder)
        self.ready = True
        return self.ready

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        if isinstance(payload, dict):
            await asyncio.sleep(float(payload.get("sleep_seconds", 0)))
        try:
            result = self.classifier.predict(get_predict_input(payload))
        except Exception as error:
            raise InferenceError(str(error)) from error
        return get_predict_response(payload, result, self.name)


class SklearnRepository(ModelRepository):
    """The models of a folder's subfolders; empty where there are none, which is how a server without a model starts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.load_models()

    async def load(self, name: str) -> bool:
        return self.load_model(name)

    def load_model(self, name: str) -> bool:
        model = SklearnModel(name, Path(self.models_dir) / name)
        if model.load():
            self.update(model)
        return model.ready


def main() -> None:
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--model_dir", default="/mnt/models", type=Path)
    args, _ = parser.parse_known_args()
    configure_logging(args.log_config_file)
    model = SklearnModel(args.model_name, args.model_dir)
    try:
        model.load()
    except ModelMissingError:
        logger.error("no model file in %s: starting without a model", args.model_dir)
        repository = SklearnRepository(args.model_dir)
        kserve.ModelServer(registered_models=repository, grace_period=GRACE_SECONDS).start([])
    else:
        kserve.ModelServer(grace_period=GRACE_SECONDS).start([model])


if __name__ == "__main__":
    main()
