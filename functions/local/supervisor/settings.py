"""What the environment decides about `make run`, and what is checked before anything starts."""

import errno
import fcntl
import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from functions.local.supervisor.ports import HOST


class Refused(Exception):
    """`make run` can't start; the message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """`kubeconfig` and `redis_url` None: started here. `state`: this cluster's part of the folder for data."""

    port: int
    broker_port: int
    kubeconfig: str | None
    redis_url: str | None
    folder: Path

    @property
    def state(self) -> Path:
        """Another cluster is another world: its records and its queue are kept apart. The simulated one ends with the run."""
        if self.kubeconfig is None:
            return self.folder / "simulated"
        return self.folder / f"cluster-{hashlib.sha256(self.kubeconfig.encode()).hexdigest()[:8]}"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def read(environment: Mapping[str, str], folder: Path) -> Settings:
    """From PORT, BROKER_PORT, KUBECONFIG and REDIS_URL. Raises Refused."""
    port = _number("PORT", environment.get("PORT") or "8080")
    kubeconfig = environment.get("KUBECONFIG") or None
    if kubeconfig and not any(Path(path).exists() for path in kubeconfig.split(os.pathsep)):
        raise Refused(
            f"KUBECONFIG={kubeconfig} does not exist. Correct it, or unset it to run with a simulated cluster."
        )
    return Settings(
        port=port,
        broker_port=_number("BROKER_PORT", environment.get("BROKER_PORT") or str(port + 1)),
        kubeconfig=kubeconfig,
        redis_url=environment.get("REDIS_URL") or None,
        folder=folder,
    )


def check_ports(settings: Settings) -> None:
    """Raises Refused for the first one that is taken."""
    _check_free(settings.port, "the product", f"PORT={settings.port + 10}")
    _check_free(settings.broker_port, "the broker", f"BROKER_PORT={settings.broker_port + 10}")


def lock(folder: Path) -> IO[str]:
    """The folder is ours while the file that is returned is open, here or in a child. Raises Refused."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        raise Refused(
            f"`make run` is already at work in this folder (process {file.read().strip() or 'unknown'})."
            " Use that one, or end it with Ctrl-C first."
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _number(name: str, text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Refused(f"{name}={text} is no port. Choose a number from 1 to 65535.")
    return int(text)


def _check_free(port: int, whose: str, way_out: str) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        reason = (
            "is taken by another process" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
        )
        raise Refused(f"port {port} for {whose} {reason}. Choose another: `{way_out} make run`.") from error
