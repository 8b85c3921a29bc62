"""Which folders of a claim are artifacts.

A folder with a `_SUCCESS` file, or the topmost folder that a model's file lies in, each with all that is below it. The
claim's own root counts only where nothing below it does: else every change anywhere would be a change of every model.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from events.artifacts.survey import MARKER

# What a model server loads, and names by which one knows a model's folder (MLflow, MLServer, Triton, TensorFlow, Hugging
# Face, XGBoost, LightGBM). What is not among them needs a marker, or to be named.
_SUFFIXES = (
    "bin bst cbm ckpt engine gguf h5 hdf5 joblib keras mar mlmodel onnx pb pdmodel pickle pkl plan pmml pt pt2 pth "
    "safetensors tflite ubj"
)
_NAMES = "MLmodel model-settings.json config.pbtxt config.json model.json model.txt"
_MODEL = re.compile(
    rf".+\.(?:{'|'.join(_SUFFIXES.split())})|{'|'.join(re.escape(name) for name in _NAMES.split())}", re.IGNORECASE
)


@dataclass
class Found:
    """Paths relative to the claim, "" for the whole of it. `unread`: folders that could not be listed, and why."""

    artifacts: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    def may_hold(self, place: str) -> bool:
        """Whether `place` lies where it could not be looked: it may still be there."""
        return any(folder in {"", place} or place.startswith(f"{folder}/") for folder in self.unread)


def find(root: Path) -> Found:
    """One listing for each artifact and for each folder above one. Links to folders are not followed."""
    found = Found()
    here = _Listing.of(root, "", found)
    waiting = here.folders
    while waiting:
        place = waiting.pop()
        listing = _Listing.of(root, place, found)
        if listing.is_artifact:
            found.artifacts.append(place)
        else:
            waiting.extend(listing.folders)
    if here.is_artifact and not found.artifacts:
        found.artifacts.append("")
    found.artifacts.sort()
    return found


@dataclass
class _Listing:
    is_artifact: bool = False
    folders: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, root: Path, place: str, found: Found) -> "_Listing":
        listing = cls()
        try:
            with os.scandir(root / place) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        listing.folders.append(f"{place}/{entry.name}" if place else entry.name)
                    elif entry.name == MARKER or _MODEL.fullmatch(entry.name):
                        listing.is_artifact = True
        except FileNotFoundError as error:
            if not place:
                found.unread[place] = str(error)
        except OSError as error:
            found.unread[place] = str(error)
        return listing
