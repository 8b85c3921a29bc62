"""The image that the models' pods run: built and loaded by IMAGE_BUILDER, or found by its name elsewhere."""

import os
import subprocess
from pathlib import Path

BUILD = Path(__file__).parent / "modelserver" / "build"
BUILD_SECONDS = 600


def provide_model_image():
    """Does nothing where MODELSERVER_IMAGE names one that the cluster can pull."""
    if os.environ.get("MODELSERVER_IMAGE"):
        return
    if not os.environ.get("IMAGE_BUILDER"):
        raise RuntimeError(
            "the end-to-end tests need a model server's image: set MODELSERVER_IMAGE to one that the cluster can pull "
            "(built from tests/e2e/modelserver), or IMAGE_BUILDER to a program that builds and loads it "
            "(see tests/e2e/modelserver/build)"
        )
    done = subprocess.run([BUILD], capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{BUILD} ended with {done.returncode}: {done.stderr[-2000:]}")
