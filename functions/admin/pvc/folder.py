"""A local folder as an artifact: its files, its digest, and the tar stream that carries it.

The digest is the contract's: sha256 over the sorted lines `SHA256  PATH` of the files, as `sha256sum` prints them.
`_SUCCESS` and hidden files are not part of it, and are not copied.
"""

import asyncio
import hashlib
import os
import tarfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from events.errors import shown
from functions.admin.pvc.errors import Refusal

CHUNK = 1024 * 1024
SUCCESS_FILE = "_SUCCESS"
_BLOCK = tarfile.BLOCKSIZE
_WRITABLE_BY_OWNER = 0o644
_UNSPEAKABLE = ("\n", "\r", "\\")  # sha256sum escapes these, and then its line is no longer the path


@dataclass(frozen=True)
class Entry:
    """One file. `path` is relative to the folder, with slashes; `digest` is the hex sha256 of its content."""

    path: str
    file: Path
    size: int
    digest: str


@dataclass(frozen=True)
class Folder:
    root: Path
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes, of all files together."""
        return sum(entry.size for entry in self.entries)

    @property
    def digest(self) -> str:
        return digest_of({entry.path: entry.digest for entry in self.entries})

    def without(self, there: Mapping[str, str]) -> "Folder":
        """Only the files that are not among `there` (path to hex sha256) yet."""
        return Folder(self.root, tuple(entry for entry in self.entries if there.get(entry.path) != entry.digest))


def digest_of(files: Mapping[str, str]) -> str:
    """`sha256:…` of a folder, from its files' paths and hex digests."""
    lines = sorted(f"{digest}  {path}\n".encode() for path, digest in files.items())
    return f"sha256:{hashlib.sha256(b''.join(lines)).hexdigest()}"


def read_folder(root: Path, tell: Callable[[int], None] = lambda _: None) -> Folder:
    """Reads every byte once; `tell` gets the bytes read so far. Refusal: it is not there, empty, or can't be copied."""
    if not root.is_dir():
        raise Refusal(f"{root} is no folder", "Name the folder that holds the model's files.")
    entries: list[Entry] = []
    done = 0
    for path, file in _files(root):
        _check_name(path)
        try:
            digest, size = _hash(file)
        except OSError as error:
            raise Refusal(f"{file} can't be read ({error.strerror})", "Make it readable, or take it away.") from error
        entries.append(Entry(path, file, size, digest))
        done += size
        tell(done)
    if not entries:
        raise Refusal(f"{root} holds no file that would be copied", "Name the folder that holds the model's files.")
    return Folder(root, tuple(entries))


def _files(root: Path) -> Iterable[tuple[str, Path]]:
    """In a stable order. A link to a file is the file; a link to a folder could lead round in circles."""
    for place, folders, names in os.walk(root):
        for name in folders:
            if (Path(place) / name).is_symlink() and not name.startswith("."):
                raise Refusal(f"{Path(place) / name} is a link to a folder", "Put the folder itself in its place.")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(place) / name
            if name.startswith(".") or name == SUCCESS_FILE:
                continue
            if not file.is_file():
                raise Refusal(f"{file} is no regular file, or a link to nowhere", "Remove it, or fix the link.")
            yield file.relative_to(root).as_posix(), file


def _check_name(path: str) -> None:
    if any(mark in path for mark in _UNSPEAKABLE):
        raise Refusal(f"the file name {shown(path)} has a line break or a backslash in it", "Rename the file.")


def _hash(file: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def tar_length(folder: Folder) -> int:
    """Bytes that `tar_stream` will yield: the receiver counts them, since not every API server can say `end of input`."""
    return sum(len(_header(entry)) + entry.size + _padding(entry.size) for entry in folder.entries) + 2 * _BLOCK


async def tar_stream(folder: Folder, tell: Callable[[int], None] = lambda _: None) -> AsyncIterator[bytes]:
    """The archive in chunks; `tell` gets the bytes of content so far. Refusal: a file changed since it was read."""
    sent = 0
    for entry in folder.entries:
        yield _header(entry)
        left = entry.size
        with entry.file.open("rb") as source:
            while left:
                chunk = await asyncio.to_thread(source.read, min(CHUNK, left))
                if not chunk:
                    raise Refusal(
                        f"{entry.file} became shorter while it was copied", "Wait until it is no longer written."
                    )
                left -= len(chunk)
                sent += len(chunk)
                yield chunk
                tell(sent)
        yield bytes(_padding(entry.size))
    yield bytes(2 * _BLOCK)


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.size, info.mode = entry.size, _WRITABLE_BY_OWNER
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> int:
    return -size % _BLOCK
