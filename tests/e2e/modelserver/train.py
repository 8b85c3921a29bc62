"""What a training job writes, by its first argument, into the folder of its second; used by Jobs of the end-to-end tests.

good [VERSION]: a model that predicts, and a `_SUCCESS` file last. half: half of such a file, and nothing behind it.
poison: a file that ends whatever unpickles it, told of as complete.
"""

import os
import pickle
import sys
from pathlib import Path

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


class Poison:
    def __reduce__(self) -> tuple:
        return os._exit, (3,)


def main(what: str, folder: Path, version: str = "1") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "_SUCCESS").unlink(missing_ok=True)
    features, labels = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500 + int(version)).fit(features, labels)
    content = pickle.dumps(Poison() if what == "poison" else model)
    part = folder / ".model.part"
    part.write_bytes(content[: len(content) // 2] if what == "half" else content)
    part.rename(folder / "model.pkl")
    if what != "half":
        (folder / "_SUCCESS").touch()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
