"""One run: how many calls go where, and what came of them."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fuzz.away import everything_waits
from fuzz.judge import Findings
from fuzz.over_http import fuzz_functions
from fuzz.parser import fuzz_parser
from fuzz.rest import fuzz_rest
from fuzz.rig import rig
from fuzz.servers import fuzz_servers


@dataclass(frozen=True)
class Plan:
    parser: int
    functions: int
    api: int
    seed: int
    servers: int = 0

    @classmethod
    def of(cls, calls: int, seed: int) -> Self:
        functions, api, servers = calls * 30 // 100, calls * 10 // 100, calls * 10 // 100
        return cls(calls - functions - api - servers, functions, api, seed, servers)


@dataclass(frozen=True)
class Outcome:
    parser: int
    functions: int
    api: int
    findings: Findings
    servers: int = 0

    @property
    def line(self) -> str:
        split = f"parser={self.parser:,} functions={self.functions:,} api={self.api:,} servers={self.servers:,}"
        return f"fuzz calls={self.findings.calls:,} {split} findings={len(self.findings.found)}"


def run(plan: Plan, folder: Path) -> Outcome:
    """Raises where the rig does not come up; whatever else goes wrong is a finding."""
    found = Findings()
    marks = [0]
    fuzz_parser(plan.parser, plan.seed, found)
    marks.append(found.calls)
    fuzz_servers(plan.servers, plan.seed, found)
    marks.append(found.calls)
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
    parser, servers, functions, api = (after - before for before, after in itertools.pairwise(marks))
    return Outcome(parser, functions, api, found, servers)
