"""The process that all parts are children of. It imports what most of them share once, and forks instead of starting Python.

Importing costs each function about two seconds of CPU on its own; forked from here it costs nothing again, and what the
imports fill is memory that all share. Nothing is connected and no thread runs when it forks.

Orders come as JSON lines on stdin: {"preload": [modules]}, {"start": NAME, "program", "arguments", "environment", "output":
file descriptor, "preloaded": bool}. Notices go out on stdout: {"name", "pid"} and later {"name", "pid", "exit"}.
Every part leads a process group. After SIGTERM nothing more is started. When stdin ends, so does everything: nothing outlives a
supervisor that was killed.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import time
from typing import Any

GRACE_SECONDS = 2.0


class Prefork:
    """`run` returns None when all is over, or, in a child, the order that this process is now to carry out."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._buffer = b""
        self._closing = False
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._close)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> dict[str, Any] | None:
        while True:
            readable, _, _ = select.select([0, self._woken], [], [])
            if self._woken in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._reap()
            if 0 in readable:
                chunk = os.read(0, 1 << 20)
                if not chunk:
                    self._end()
                    return None
                self._buffer += chunk
                while b"\n" in self._buffer:
                    line, self._buffer = self._buffer.split(b"\n", 1)
                    if mine := self._obey(json.loads(line)):
                        return mine

    def _close(self, *_: object) -> None:
        self._closing = True

    def _obey(self, order: dict[str, Any]) -> dict[str, Any] | None:
        if "preload" in order:
            self._preload(order["preload"])
        if "start" not in order or self._closing:
            return None
        pid = os.fork()
        if pid == 0:
            return order
        with contextlib.suppress(OSError):  # the child does it too; the first call wins
            os.setpgid(pid, pid)
        self._names[pid] = order["start"]
        _notify({"name": order["start"], "pid": pid})
        return None

    def _preload(self, modules: list[str]) -> None:
        """Without garbage collection, which only slows imports down; and what is there now is never looked at again, so
        that its memory stays shared.
        """
        gc.disable()
        for module in modules:
            if not self._closing:
                _import(module)
        gc.freeze()
        gc.enable()

    def _reap(self) -> None:
        while self._names:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if name := self._names.pop(pid, None):
                _notify({"name": name, "pid": pid, "exit": os.waitstatus_to_exitcode(status)})

    def _end(self) -> None:
        """The supervisor is gone. A process that does not end in time is killed, with its whole group."""
        for pid in self._names:
            _signal_group(pid, signal.SIGTERM)
        leaders, deadline = set(self._names), time.monotonic() + GRACE_SECONDS
        while self._names and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        for pid in leaders:
            _signal_group(pid, signal.SIGKILL)


def _import(module: str) -> None:
    """What can't be imported is the trouble of the part that needs it, which will say so at length."""
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - whatever a module raises
        print(f"{module} can't be imported ahead: {error!r}", file=sys.stderr, flush=True)


def _notify(notice: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(notice).encode() + b"\n")


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _become(order: dict[str, Any]) -> None:
    """In the child: its own group, output and environment, and none of the prefork server's files and signals."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(order["output"], 1)
    os.dup2(order["output"], 2)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(order["environment"])
    _name_process(order["start"])
    program, arguments = order["program"], order["arguments"]
    if os.sep in program:
        os.execv(program, [program, *arguments])
    if not order["preloaded"]:
        os.execv(sys.executable, [sys.executable, "-m", program, *arguments])
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


def _name_process(name: str) -> None:
    """As `ps -o comm` and `top` show it, where the system lets us."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as file:  # noqa: PTH123 - nothing to gain from Path
        file.write(name)


if __name__ == "__main__":
    order = Prefork().run()
    if order is None:
        os._exit(0)  # nothing to save, and freeing a thousand modules takes a while
    _become(order)
