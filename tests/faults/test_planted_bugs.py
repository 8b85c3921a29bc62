"""Plants known bugs in a copy of our source, one by one: a suite that stays green over one of them proves nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from planted import PLANTED

ROOT = Path(__file__).parents[2]
COPIED = ("functions", "events", "knative", "tests/contract", "tests/unit/lifecycle", "tests/faults")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """Our source and its tests, once for all bugs; each puts back what it changed."""
    place = tmp_path_factory.mktemp("planted")
    for name in COPIED:
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / name, place / name)
    return place


def _pytest(place, seen_by, named):
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", seen_by, *(["-k", named] if named else [])]
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1", "FAULTS": "whole"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        check=False,
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_the_suite_sees(bug, copied):
    file = copied / bug.file
    sound = file.read_text()
    assert sound.count(bug.old) == 1, f"{bug.file} has changed: what is planted must be planted anew"
    file.write_text(sound.replace(bug.old, bug.new))
    try:
        ran = _pytest(copied, bug.seen_by, bug.named)
    finally:
        file.write_text(sound)
    assert ran.returncode == 1, f"expected a failing test, got:\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}"
    assert "FAILED" in ran.stdout, ran.stdout[-3000:]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seen_by", "named"), sorted({(bug.seen_by, bug.named) for bug in PLANTED}))
def test_without_a_bug_the_same_tests_pass(seen_by, named, copied):
    ran = _pytest(copied, seen_by, named)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "FAILED" not in ran.stdout
