"""What is there, without reading it: an artifact's files with their sizes and times. One `stat` per file, one listing per folder."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from events.errors import ModelswitchError, shown

MARKER = "_SUCCESS"
MOST_FILES = 100_000
# A file system stamps a new file and its folder one after the other, so the folder may be a tick younger than the marker.
_TICK_NS = 500_000_000


class Unfit(ModelswitchError):
    """What is there is no artifact that a model could load. `next_action` says what to do."""


class Absent(Unfit):
    """Nothing is there, or nothing but folders, markers and hidden files."""


@dataclass(frozen=True, slots=True)
class FileSeen:
    """`name` is relative to the artifact, with slashes. Times in ns. The change time can't be set back, so a copy that
    keeps the modification time of its original is noticed too.
    """

    name: str
    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, name: str, status: os.stat_result) -> "FileSeen":
        return cls(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class Survey:
    """`marker` and `folders`: when the `_SUCCESS` file and the youngest folder changed, in ns. None: there is no marker;
    it is a single file.
    """

    path: Path
    files: tuple[FileSeen, ...]
    marker: int | None
    folders: int | None

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def written(self) -> int:
        """When the youngest file changed, in ns of the file system's clock: another writing of the same bytes is another."""
        return max(file.changed for file in self.files)

    @property
    def marked(self) -> bool:
        """A `_SUCCESS` file is there, and nothing was written, added or removed after it."""
        if self.marker is None or self.folders is None:
            return False
        return self.written <= self.marker and self.folders <= self.marker + _TICK_NS

    @property
    def fingerprint(self) -> bytes:
        """Another one whenever a file came, went, or was written to."""
        found = blake2b(digest_size=16)
        for file in self.files:
            found.update(f"{file}\n".encode(errors="surrogateescape"))
        return found.digest()

    def place(self, file: FileSeen) -> Path:
        return self.path if self.folders is None else self.path / file.name


def survey(path: Path) -> Survey:
    """Absent, or Unfit: a link that leads out of it, or no regular file. OSError: the file system can't be asked."""
    try:
        top = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise Absent(f"{path} does not exist", "Name the file or folder where the artifact is mounted.") from None
    if stat.S_ISREG(top.st_mode):
        return _checked(Survey(path, (FileSeen.of(path.name, top),), None, None))
    if not stat.S_ISDIR(top.st_mode):
        raise Unfit(f"{path} is neither a file nor a folder", "Name the file or folder of the artifact.")
    root = path.resolve()
    files: list[FileSeen] = []
    folders = 0
    for folder, name, status in _walk(path, "", root, (root,)):
        if folder:
            folders = max(folders, status.st_mtime_ns)
        else:
            files.append(FileSeen.of(name, status))
        if len(files) > MOST_FILES:
            raise Unfit(f"{path} holds more than {MOST_FILES} files", "Name the folder of one model.")
    files.sort(key=lambda file: os.fsencode(file.name))
    return _checked(Survey(path, tuple(files), _marker(path), folders))


def _checked(found: Survey) -> Survey:
    if not found.files:
        raise Absent(f"{found.path} holds no file", "Write the artifact first, then publish.")
    if not found.size:
        raise Absent(f"{found.path} holds empty files only", "Write the artifact first, then publish.")
    return found


def _marker(path: Path) -> int | None:
    try:
        return (path / MARKER).stat().st_ctime_ns
    except FileNotFoundError:
        return None


def _walk(folder: Path, prefix: str, root: Path, above: tuple[Path, ...]) -> Iterator[tuple[bool, str, os.stat_result]]:
    """(is it a folder, its name relative to the root, its status). An entry that vanishes during the walk is skipped."""
    yield True, prefix, folder.stat()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name == MARKER:
                continue
            name = f"{prefix}{entry.name}"
            try:
                status = entry.stat()
                real = _inside(entry, root) if entry.is_symlink() else None
            except FileNotFoundError:
                _refuse_dangling(entry, name)
                continue
            if stat.S_ISDIR(status.st_mode):
                real = real or above[-1] / entry.name
                if real in above:
                    raise Unfit(f"the link {shown(name)} leads back to its own folder", "Remove the link.")
                yield from _walk(Path(entry.path), f"{name}/", root, (*above, real))
            elif stat.S_ISREG(status.st_mode):
                yield False, name, status
            else:
                raise Unfit(f"{shown(name)} is no regular file", "Remove it from the artifact.")


def _inside(entry: os.DirEntry[str], root: Path) -> Path:
    real = Path(entry.path).resolve(strict=True)
    if not real.is_relative_to(root):
        raise Unfit(
            f"the link {shown(entry.name)} leads out of {root}, and a model's pod mounts no more than that",
            "Replace the link by what it leads to.",
        )
    return real


def _refuse_dangling(entry: os.DirEntry[str], name: str) -> None:
    if os.path.islink(entry.path):  # noqa: PTH114 - an entry's path is a string
        raise Unfit(f"the link {shown(name)} leads nowhere", "Remove it, or write what it leads to.")
