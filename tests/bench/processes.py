"""The real processes that are measured: functions, the API, peers. Each in a session of its own, ended on leaving."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
UP_SECONDS = 60
DELIVERY_SECRET = "delivery-secret-of-the-bench"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Served:
    """A process that answers HTTP."""

    url: str
    pid: int

    def memory(self) -> float:
        """Resident, in MiB, of the process and its children: gunicorn works in a child."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(_resident(pid) for pid in (str(self.pid), *children))


def _resident(pid: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextlib.contextmanager
def process(
    words: list[str], log: Path, environment: Mapping[str, str], program: Sequence[str] = (sys.executable,)
) -> Iterator[subprocess.Popen]:
    with log.open("wb") as output:
        running = subprocess.Popen(
            [*program, *words],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, 9)
        running.wait()


@contextlib.contextmanager
def serving(words: list[str], path: str, log: Path, port: int, environment: Mapping[str, str]) -> Iterator[Served]:
    """Waits until `path` answers 200."""
    with process(words, log, environment) as running:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + UP_SECONDS
        while not _answers(f"{url}{path}"):
            if running.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{words} does not answer {path}; it said:\n{log.read_text()[-3000:]}")
            time.sleep(0.02)
        yield Served(url, running.pid)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def function_words(source: str, target: str, port: int) -> list[str]:
    words = ["-m", "functions_framework", "--source", source, "--target", target]
    return [*words, "--host", "127.0.0.1", "--port", str(port)]


@contextlib.contextmanager
def stop_function(folder: Path, environment: Mapping[str, str]) -> Iterator[Served]:
    with function("command", folder, environment) as served:
        yield Served(f"{served.url}/?delivery={DELIVERY_SECRET}", served.pid)


@contextlib.contextmanager
def function(name: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Served]:
    port = free_port()
    words = function_words(f"functions/{name}/main.py", name, port)
    known = {"DELIVERY_SECRETS": DELIVERY_SECRET, **environment}
    with serving(words, "/healthz", folder / f"{name}-{port}.log", port, known) as served:
        yield served


@contextlib.contextmanager
def hello_function(folder: Path) -> Iterator[Served]:
    """functions-framework with a function that takes the same event and does nothing."""
    port = free_port()
    words = function_words("tests/bench/hello/main.py", "hello", port)
    with process(words, folder / f"hello-{port}.log", {}) as running:
        end = time.monotonic() + UP_SECONDS
        while not _listens(port):
            if time.monotonic() > end:
                raise RuntimeError("the hello world does not listen")
            time.sleep(0.02)
        yield Served(f"http://127.0.0.1:{port}", running.pid)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def api(folder: Path, environment: Mapping[str, str]) -> Iterator[Served]:
    port = free_port()
    more = {"PORT": str(port), "AUTH": "none", **environment}
    with serving(["-m", "functions.api"], "/livez", folder / f"api-{port}.log", port, more) as served:
        yield served


@contextlib.contextmanager
def empty_fastapi(folder: Path) -> Iterator[Served]:
    with _empty("empty_fastapi", folder) as served:
        yield served


@contextlib.contextmanager
def empty_sse(folder: Path) -> Iterator[Served]:
    with _empty("empty_sse", folder) as served:
        yield served


@contextlib.contextmanager
def _empty(module: str, folder: Path) -> Iterator[Served]:
    port = free_port()
    words = ["-m", "uvicorn", f"{module}:app", "--app-dir", str(HERE), "--port", str(port), "--no-access-log"]
    with serving(words, "/", folder / f"{module}-{port}.log", port, {}) as served:
        yield served
