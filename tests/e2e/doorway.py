"""Lets the cluster's pods reach a port that is open on this machine's loopback only: the broker of the product under test."""

import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

_LISTENS = "0A"


def listening(pid):
    """The port that a process of this machine listens on (Linux)."""
    sockets = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, inode = line.split()[:10]
        if state == _LISTENS and f"socket:[{inode}]" in sockets:
            return int(local.rpartition(":")[2], 16)
    raise AssertionError(f"process {pid} listens on no port")


class Doorway:
    """`url` is what pods use. What is behind it serves this machine only, and so is called by its name on this machine."""

    def __init__(self, inside, address):
        parts = urlsplit(inside)
        self._inside = (parts.hostname, parts.port)
        self._server = socket.create_server((address, 0))
        outside = f"{address}:{self._server.getsockname()[1]}"
        self._hosts = tuple(f"Host: {host}\r\n".encode() for host in (outside, parts.netloc))
        self.url = f"http://{outside}{parts.path}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._server.close()

    def _serve(self):
        while True:
            try:
                outer, _ = self._server.accept()
            except OSError:
                return
            inner = socket.create_connection(self._inside)
            threading.Thread(target=_pump, args=(outer, inner, self._hosts), daemon=True).start()
            threading.Thread(target=_pump, args=(inner, outer, None), daemon=True).start()


def _pump(source, sink, hosts):
    try:
        while data := source.recv(65536):
            sink.sendall(data.replace(*hosts) if hosts else data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()
