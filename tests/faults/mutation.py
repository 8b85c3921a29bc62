"""`make mutation`: change the lifecycle's code in every small way mutmut knows; the unit tests must notice.

Works on a copy, with an environment of its own: mutmut is no dependency of the project. Ends with 1 where the score is
below the goal.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("events", "functions", "tests")
MUTMUT = "mutmut==3.8.1"
GOAL = 90.0
SETTINGS = """[mutmut]
source_paths=functions/lifecycle
also_copy=
    events
    functions
    tests
pytest_add_cli_args_test_selection=tests/unit/lifecycle
pytest_add_cli_args=
    -q
    -x
    -p
    no:cacheprovider
    -p
    no:xdist
"""
QUICK_FIRST = '''"""Searches last: a mutant that a quick test notices costs no search. The suite stays whole."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: getattr(item.obj, "is_hypothesis_test", False))
'''
# mutmut's own: what pytest ended with; 33 and 5 where no test came by, 36 and SIGXCPU where one never came to an end.
_NO_TEST = (33, 5)
_KILLED = (1, 3)
_TIMEOUT = (36, 24, -24, 152, 255)
_NAMES = ("killed", "timeout", "survived", "no test", "open")


def main() -> int:
    arguments = _arguments()
    place: Path = arguments.place
    mutmut = _environment(place / "venv")
    copy = place / "copy"
    _copy(copy)
    # CI: the same examples in every run, so that the score is the suite's and not chance's.
    environment = {**os.environ, "CI": "1"}
    command = ["nice", "-n", "10", str(mutmut), "run", "--max-children", str(arguments.children), *arguments.only]
    ran = subprocess.run(command, cwd=copy, env=environment, check=False)
    if ran.returncode:
        return ran.returncode
    return _report(copy / "mutants" / "functions" / "lifecycle", bool(arguments.only))


def _environment(venv: Path) -> Path:
    """What the tests need and mutmut, made once; the path of its command."""
    mutmut = venv / "bin" / "mutmut"
    if not mutmut.exists():
        print(f"setting up {venv} (once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [venv / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", ROOT / "requirements" / "all.txt"], check=True)
        subprocess.run([*pip, MUTMUT], check=True)
    return mutmut


def _copy(copy: Path) -> None:
    if copy.exists():
        shutil.rmtree(copy)
    copy.mkdir(parents=True)
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "setup.cfg").write_text(SETTINGS)
    (copy / "tests" / "unit" / "lifecycle" / "conftest.py").write_text(QUICK_FIRST)


def _report(results: Path, partial: bool) -> int:
    counts: dict[str, Counter[str]] = {}
    for path in sorted(results.glob("*.meta")):
        found = json.loads(path.read_text())["exit_code_by_key"]
        outcomes = {name: _outcome(code) for name, code in found.items()}
        counts[path.name.removesuffix(".py.meta")] = Counter(outcomes.values())
        for name, outcome in outcomes.items():
            if outcome in {"survived", "no test"}:
                print(f"{outcome}: {name}")
    total = sum(counts.values(), Counter())
    print(f"{'':14}{'mutants':>9}{''.join(f'{name:>9}' for name in _NAMES)}")
    for name, count in (*counts.items(), ("all", total)):
        print(f"{name:14}{count.total():9}{''.join(f'{count[kind]:9}' for kind in _NAMES)}")
    tried = total.total() - total["open"]
    killed = total["killed"] + total["timeout"]
    score = 100 * killed / max(tried, 1)
    print(f"mutants={tried} killed={killed} score={score:.1f}%")
    return 0 if partial or (tried and score >= GOAL and not total["open"]) else 1


def _outcome(code: int | None) -> str:
    if code is None:
        return "open"
    if code in _NO_TEST:
        return "no test"
    if code in _TIMEOUT:
        return "timeout"
    return "killed" if code in _KILLED else "survived"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="mutants by name, such as 'functions.lifecycle.receipt*'; default: all")
    parser.add_argument("--children", type=int, default=2, help="how many are tried at a time")
    place = Path(tempfile.gettempdir()) / "modelswitch-mutation"
    parser.add_argument(
        "--place", type=Path, default=place, help="where copy and environment lie; default: %(default)s"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
