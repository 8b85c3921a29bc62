"""A function as production runs it: functions-framework in a process of its own, over real HTTP."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from forked import Forked

from functions.local.supervisor.ports import free_ports

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
SECRET = "delivery-secret-of-the-tests"
HTTP = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
"""For requests one by one, each on a connection of its own. `httpx.get` reads every CA certificate for each request."""
STOP = "dev.modelswitch.model.stop-requested.v1"
START = "dev.modelswitch.model.start-requested.v1"


def free_port() -> int:
    return free_ports(1)[0]


def until(condition, what: str, seconds: float = DEADLINE):
    """What `condition` returns once it is true; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


@contextlib.contextmanager
def running(command: list[str], log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen]:
    """A process with its output in `log`; ended, with its children, on leaving."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


@contextlib.contextmanager
def forking(module: str, arguments: list[str], log: Path, env: dict[str, str]) -> Iterator[Forked]:
    """A module of ours as `running` does it, without Python's start."""
    process = Forked(module, arguments, log, os.environ | env)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Function:
    """`address`: where the broker delivers, with the delivery secret in it."""

    url: str
    log: Path
    pid: int

    @property
    def address(self) -> str:
        return f"{self.url}/?delivery={SECRET}"

    def send(self, event_type: str, subject: str | None, data=None, **changes) -> httpx.Response:
        """Posts an event in binary mode; `changes` are attributes, None leaves one out."""
        attributes = {"specversion": "1.0", "id": "e1", "source": "/test", "type": event_type, "subject": subject}
        headers = {f"ce-{name}": value for name, value in (attributes | changes).items() if value is not None}
        return HTTP.post(self.address, json={} if data is None else data, headers=headers, timeout=15)

    def post(self, content: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return HTTP.post(self.address, content=content, headers=named, timeout=15)


def _answers(url: str) -> bool:
    try:
        return HTTP.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def function(
    name: str, log: Path, env: dict[str, str], path: str = "/healthz", *, measured: bool = False
) -> Iterator[Function]:
    """Waits until `path` answers 200. `measured`: its memory is its own, shared with no process that it was forked from."""
    port = free_port()
    known = {"DELIVERY_SECRETS": SECRET, **env}
    served = ["--source", f"functions/{name}/main.py", "--target", name, "--host", "127.0.0.1", "--port", str(port)]
    module, start = "functions_framework", [sys.executable, "-m"]
    with running([*start, module, *served], log, known) if measured else forking(module, served, log, known) as process:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{url}{path}"), f"{name} is up; see {log}")
        yield Function(url, log, process.pid)
