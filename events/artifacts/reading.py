r"""An artifact's digest: SHA-256 of a file, or of the list that `sha256sum` would print of a folder.

    cd FOLDER && find . -type f ! -name _SUCCESS ! -path '*/.*' -printf '%P\0' | xargs -0 sha256sum | LC_ALL=C sort | sha256sum

prints the same for a folder, so it can be checked without modelswitch.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from events.artifacts.survey import Absent, FileSeen, Survey, survey
from events.errors import ModelswitchError

CHUNK_BYTES = 1024 * 1024
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})


class Changed(ModelswitchError):
    """The artifact changed while it was being read, so what was read is not one consistent state of it."""


def _ignore(_count: int) -> None:
    pass


@dataclass(slots=True)
class Reader:
    """Remembers each file's digest, so that only what was written to is read again. `progress` gets bytes as they are read."""

    progress: Callable[[int], None] = _ignore
    _known: dict[str, tuple[FileSeen, bytes]] = field(default_factory=dict)

    def digest(self, seen: Survey) -> str:
        """`sha256:…` of exactly what `seen` saw. Changed: it is no longer that. OSError: it can't be read."""
        found = {file.name: (file, self._file(seen, file)) for file in seen.files}
        self._known = found
        if _fingerprint(seen) != seen.fingerprint:
            raise Changed
        if seen.folders is None:
            return f"sha256:{next(iter(found.values()))[1].hex()}"
        lines = sorted(_line(name, digest) for name, (_, digest) in found.items())
        return f"sha256:{hashlib.sha256(b''.join(lines)).hexdigest()}"

    def _file(self, seen: Survey, file: FileSeen) -> bytes:
        known = self._known.get(file.name)
        if known and known[0] == file:
            return known[1]
        total, left = hashlib.sha256(), file.size
        try:
            with seen.place(file).open("rb", buffering=0) as stream:
                if FileSeen.of(file.name, os.fstat(stream.fileno())) != file:
                    raise Changed
                while chunk := stream.read(CHUNK_BYTES):
                    total.update(chunk)
                    self.progress(len(chunk))
                    left -= len(chunk)
                    if left < 0:  # its writer may be as quick as we are: that would never end
                        raise Changed
        except FileNotFoundError:
            raise Changed from None
        return total.digest()


def _fingerprint(seen: Survey) -> bytes:
    try:
        return survey(seen.path).fingerprint
    except Absent:
        return b""


def _line(name: str, digest: bytes) -> bytes:
    """As sha256sum prints it: a name with a backslash or a line end is escaped, and the line then begins with a backslash."""
    escaped = name.translate(_ESCAPES)
    mark = "" if escaped == name else "\\"
    return os.fsencode(f"{mark}{digest.hex()}  {escaped}\n")
