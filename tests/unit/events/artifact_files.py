"""Artifacts as real files."""

import json
import os
import pickle
import struct
import time

MARKER = "_SUCCESS"


def write(folder, name="model.pkl", content=None):
    """A file that `content` or a small pickle is in; its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}) if content is None else content)
    return path


def model(folder, content=None, *, marked=True):
    write(folder, "model.pkl", content)
    if marked:
        mark(folder)
    return folder


def mark(folder):
    (folder / MARKER).touch()


def later(path, content):
    """Writes until the file system's clock has gone on: its stamps are a few ms apart."""
    before = max((one.stat().st_ctime_ns for one in path.parent.iterdir()), default=0)
    deadline = time.monotonic() + 5
    while True:
        path.write_bytes(content)
        if path.stat().st_ctime_ns > before:
            return path
        assert time.monotonic() < deadline, "the file system's clock stands still"


def removed_later(path):
    """Removes a file so long after the rest that no clock tick explains it."""
    path.unlink()
    moment = time.time_ns() + 1_000_000_000
    os.utime(path.parent, ns=(moment, moment))


def safetensors(data=b"\x00" * 8, declared=None):
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, declared or len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data
