"""`python -m events.catalogue` writes what derives from the contract; `--check` says whether it is current."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from events.catalogue import document, manifests, schemas

ROOT = Path(__file__).resolve().parents[2]


def generate() -> dict[str, str]:
    """Everything that is generated: path below the root -> text."""
    return schemas.files() | manifests.files() | document.files()


def stale(root: Path) -> list[str]:
    """Paths below `root` that are missing, differ, or are schemas of no type any more."""
    wanted = generate()
    differing = [path for path, text in wanted.items() if not _same(root / path, text)]
    leftover = [
        path
        for path in (file.relative_to(root).as_posix() for file in (root / "events/schemas").glob("*.json"))
        if path not in wanted
    ]
    return sorted(differing + leftover)


def write(root: Path) -> list[str]:
    """Brings `root` up to date; returns the paths that changed."""
    changed = stale(root)
    wanted = generate()
    for path in changed:
        target = root / path
        if path in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[path], encoding="utf-8")
        else:
            target.unlink()
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 current or written, 1 stale with --check."""
    parser = argparse.ArgumentParser(prog="python -m events.catalogue", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; name stale files and exit with 1")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository's root")
    options = parser.parse_args(arguments)
    if not options.check:
        for path in write(options.root):
            sys.stdout.write(f"wrote {path}\n")
        return 0
    paths = stale(options.root)
    for path in paths:
        sys.stderr.write(f"stale: {path}\n")
    if paths:
        sys.stderr.write("Run `python -m events.catalogue` and commit what it writes.\n")
    return 1 if paths else 0


def _same(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
