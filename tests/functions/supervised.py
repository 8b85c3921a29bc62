"""`python -m functions.local` as a real process: its lines, its parts' process ids, and whether anything is left of it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import httpx
from broker_process import ROOT, until

from functions.local.supervisor.ports import free_ports


class MakeRun:
    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port, broker_port = free_ports(2)
        clean = {name: value for name, value in os.environ.items() if name not in {"KUBECONFIG", "REDIS_URL"}}
        ours = {"PORT": str(self.port), "BROKER_PORT": str(broker_port), "RUN_FOLDER": str(folder)}
        self.environment = {**clean, **ours, **environment}
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []

    async def start(self):
        command = [sys.executable, "-m", "functions.local"]
        self.process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=self.environment, stdout=-1, stderr=-2, start_new_session=True
        )
        self.reading = asyncio.create_task(self._read())
        return self

    async def __aenter__(self):
        return await self.start()

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            await self.ended()

    async def _read(self):
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    def pids(self) -> dict[str, int]:
        return json.loads((self.folder / "processes.json").read_text())

    def ports(self) -> dict[int, str]:
        """Every TCP port that is listened on by this run, and by which part: the supervisor's own is named so."""
        groups = {pid: name for name, pid in self.pids().items()} | {self.process.pid: "supervisor"}
        listening = _listening()
        found = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                group = int(status.read_text().rsplit(")", 1)[1].split()[2])
                for file in (status.parent / "fd").iterdir() if group in groups else ():
                    if (port := listening.get(str(file.readlink()))) is not None:
                        found[port] = groups[group]
        return found

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def text(self) -> str:
        return "\n".join(self.lines)

    async def up(self, seconds: float = 60):
        await until(
            lambda: self.said("modelswitch is up") or self.process.returncode is not None, "the banner", seconds
        )
        assert self.process.returncode is None, self.text()

    async def healthy(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(f"{self.url}/healthz", timeout=5)).status_code == 200
            except httpx.HTTPError:
                return False

    async def ended(self) -> int:
        code = await asyncio.wait_for(self.process.wait(), 20)
        await self.reading
        return code


def _listening() -> dict[str, int]:
    """Ports by their sockets, as /proc/PID/fd names these."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    rows = [row.split() for table in tables if table.exists() for row in table.read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]": int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}


def is_gone(group: int) -> bool:
    """Whether no process of the group is left, zombies apart."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    states = [_state_of(path, group) for path in Path("/proc").glob("[0-9]*/stat")]
    return all(state in {None, "Z", "X"} for state in states)


def _state_of(path: Path, group: int) -> str | None:
    try:
        state, _, its_group = path.read_text().rsplit(")", 1)[1].split()[:3]
    except OSError:
        return None
    return state if int(its_group) == group else None


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
