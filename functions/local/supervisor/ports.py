"""Ports for the parts that were given none: free now, and still free when a part binds its own.

A port that is found free, released and bound seconds later can be taken in between: by another `make run` on this machine
that looks at the same time, or by an outgoing connection. So a process that is given a port keeps a lock on it for as long
as it lives, which every search respects, and no port is one that the system gives to outgoing connections.
"""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path

HOST = "127.0.0.1"
_NO_CONNECTIONS_OWN = range(20_000, 30_000)
"""Below the ports that Linux gives to outgoing connections (32768 and up) and Kubernetes to NodePorts (30000 and up)."""
_ours: set[int] = set()


def free_ports(count: int, apart_from: Collection[int] = ()) -> list[int]:
    """That many different ports, this process' own until it ends. Raises OSError where there are not so many."""
    found: list[int] = []
    for port in random.sample(_NO_CONNECTIONS_OWN, len(_NO_CONNECTIONS_OWN)):
        if port not in apart_from and _reserve(port) and _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    first, last = _NO_CONNECTIONS_OWN[0], _NO_CONNECTIONS_OWN[-1]
    raise OSError(f"{count} free ports were looked for from {first} to {last}, and {len(found)} found")


def _reserve(port: int) -> bool:
    """A record lock on the byte at the port's number; one's own is no obstacle to oneself, so it is remembered."""
    if port in _ours:
        return False
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):  # either, as POSIX has it
        return False
    _ours.add(port)
    return True


@cache
def _locks() -> int:
    """Open until the process ends: closing any descriptor of a file gives all of the process' locks on it back."""
    path = Path(tempfile.gettempdir()) / f"modelswitch-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True
