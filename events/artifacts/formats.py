"""Whether a file is what its name says, where that costs no more than a look at its beginning and its end.

Nothing is ever unpickled, because loading a pickle runs its code. A file with an unknown extension is not checked.
"""

import json
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import BinaryIO, Final

from events.artifacts.survey import Survey, Unfit
from events.errors import shown

_MOST_JSON_BYTES = 16 * 1024 * 1024
# safetensors refuses a longer header itself.
_MOST_HEADER_BYTES = 100_000_000
_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_ZIP = b"PK\x03\x04"
# What joblib compresses with: zlib, gzip, bz2, xz, lzma, lz4.
_COMPRESSED = (b"\x78", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x5d\x00", b"\x04\x22\x4d\x18")
# Opcodes that a pickle of protocol 0 or 1 begins with; from protocol 2 on it is PROTO.
_OLD_PICKLE = frozenset(b"()]}cIFSVLNKMJGTUX")
# Numbers of the fields of onnx.ModelProto. ONNX has no magic; its first byte is one of these and a wire type.
_ONNX_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})


def check(seen: Survey) -> None:
    """Unfit names the first file that can't be what it is called. OSError: it can't be read."""
    for file in seen.files:
        kind = PurePath(file.name).suffix.lower()
        broken = _CHECKS.get(kind, _anything)
        place = seen.place(file)
        if why := broken(place, file.size):
            raise Unfit(
                f"{shown(file.name)} is no {kind} file that can be loaded: {why}",
                "Write it again, or publish with --no-format-check.",
            )


def _anything(_path: Path, _size: int) -> str | None:
    return None


def _pickle(path: Path, size: int) -> str | None:
    with path.open("rb") as stream:
        start = stream.read(len(_LEGACY_TORCH))
        if start.startswith((*_COMPRESSED, _ZIP, _LEGACY_TORCH)):
            return None
        new = start[:1] == b"\x80" and len(start) > 1 and 2 <= start[1] <= 5
        if not new and not (start and start[0] in _OLD_PICKLE):
            return "it does not begin as a pickle"
        return None if _last(stream, size) == b"." else "its end is missing"


def _safetensors(path: Path, size: int) -> str | None:
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > min(size - 8, _MOST_HEADER_BYTES):
            return "its header is longer than the file"
        try:
            tensors = json.loads(stream.read(length))
            ends = [one["data_offsets"][1] for name, one in tensors.items() if name != "__metadata__"]
            missing = 8 + length + max(ends, default=0) - size
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return "its header can't be read"
    return f"{missing} bytes are missing" if missing > 0 else None


def _json(path: Path, size: int) -> str | None:
    with path.open("rb") as stream:
        if size > _MOST_JSON_BYTES:
            return None if stream.read(1) in b"{[" and _tail(stream, size).rstrip()[-1:] in b"}]" else "it has no end"
        try:
            json.loads(stream.read())
        except (ValueError, RecursionError) as error:
            return f"it does not parse ({str(error)[:80]})"
    return None


def _zip(path: Path, _size: int) -> str | None:
    return None if zipfile.is_zipfile(path) else "it has no directory at its end, as a zip file does"


def _onnx(path: Path, _size: int) -> str | None:
    start = _start(path, 1)
    fits = start and start[0] >> 3 in _ONNX_FIELDS and start[0] & 7 in {0, 2}
    return None if fits else "it does not begin as one"


def _magic(*begins: bytes) -> Callable[[Path, int], str | None]:
    def broken(path: Path, _size: int) -> str | None:
        return None if _start(path, max(map(len, begins))).startswith(begins) else "it does not begin as one"

    return broken


def _start(path: Path, count: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(count)


def _last(stream: BinaryIO, size: int) -> bytes:
    return _tail(stream, size)[-1:]


def _tail(stream: BinaryIO, size: int) -> bytes:
    stream.seek(max(0, size - 64), os.SEEK_SET)
    return stream.read(64)


_CHECKS: Final[Mapping[str, Callable[[Path, int], str | None]]] = MappingProxyType(
    {
        ".pkl": _pickle,
        ".pickle": _pickle,
        ".joblib": _pickle,
        ".safetensors": _safetensors,
        ".json": _json,
        ".zip": _zip,
        ".npz": _zip,
        ".keras": _zip,
        ".mar": _zip,
        ".onnx": _onnx,
        ".h5": _magic(b"\x89HDF\r\n\x1a\n"),
        ".hdf5": _magic(b"\x89HDF\r\n\x1a\n"),
        ".gguf": _magic(b"GGUF"),
        ".gz": _magic(b"\x1f\x8b"),
    }
)
