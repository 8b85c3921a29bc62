"""The images that the cluster's pods run: built and loaded by IMAGE_BUILDER, or found by their names elsewhere."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BUILD_SECONDS = 600


def provide_model_image():
    """Does nothing where MODELSERVER_IMAGE names one that the cluster can pull."""
    provide("modelserver", "MODELSERVER_IMAGE")


def provide(folder, variable):
    """The image that `folder` builds, unless the environment's `variable` names one."""
    if os.environ.get(variable):
        return
    build = HERE / folder / "build"
    if not os.environ.get("IMAGE_BUILDER"):
        raise RuntimeError(
            f"the end-to-end tests need an image: set {variable} to one that the cluster can pull (built from "
            f"tests/e2e/{folder}), or IMAGE_BUILDER to a program that builds and loads it (see {build.relative_to(HERE)})"
        )
    done = subprocess.run([build], capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{build} ended with {done.returncode}: {done.stderr[-2000:]}")
