"""`make bench`: every row side by side with its peer, in one run. Written to docs/performance.{json,md} and a plot.

KUBECONFIG names the API server; without it the rows that need one are left out, and said so.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from api_server import ApiServer
from bulk import bulk
from cold_start import cold_start
from dashboards import dashboards
from figures import Row
from growth import growth
from idle import idle
from one_stop import duplicate, one_stop
from place import Place
from processes import free_port, serving
from reading import reading
from real_pods import real_pods
from remembering import lua_commit, redis_memory
from report import show, write
from throughput import throughput


@dataclass(frozen=True)
class Part:
    """Some rows that are measured together."""

    measure: Callable[[Place], Awaitable[list[Row]]]
    needs_cluster: bool
    what: str


PARTS = {
    "bulk": Part(bulk, True, "bulk stop of 1,000 models"),
    "stop": Part(one_stop, True, "one stop by event"),
    "duplicate": Part(duplicate, True, "a duplicate"),
    "throughput": Part(throughput, False, "handler throughput"),
    "lua": Part(lua_commit, False, "the Lua commit"),
    "cold": Part(cold_start, False, "cold start"),
    "reading": Part(reading, True, "GET status, list, API memory"),
    "memory": Part(redis_memory, False, "Redis memory"),
    "dashboards": Part(dashboards, False, "200 open dashboards"),
    "idle": Part(idle, False, "500 running models, nothing happens"),
    "growth": Part(growth, True, "growth"),
    "real": Part(real_pods, True, "real pods"),
}


@contextlib.asynccontextmanager
async def _place(rounds: int, idle_seconds: float) -> AsyncIterator[Place]:
    kubeconfig = os.environ.pop("KUBECONFIG", "") or None
    if kubeconfig:
        os.environ["KUBECONFIG"] = kubeconfig
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, port = Path(name), free_port()
        words = ["tests/bench/stand_in.py", str(port), str(folder / "stand-in.yaml")]
        with serving(words, "/livez", folder / "stand-in.log", port, {}) as stand_in:
            namespace = f"bench-{uuid.uuid4().hex[:6]}"
            server = await ApiServer.connect(kubeconfig, namespace) if kubeconfig else None
            rest = (str(folder / "stand-in.yaml"), idle_seconds)
            place = Place(folder, rounds, kubeconfig, server, f"{stand_in.url}/sink", *rest)
            os.environ.setdefault("KUBECONFIG", place.stand_in)
            try:
                if server:
                    await server.make_namespace()
                yield place
            finally:
                if server:
                    await server.delete_namespace()
                    await server.close()


async def _run(chosen: list[str], rounds: int, idle_seconds: float) -> int:
    rows: list[Row] = []
    left_out: list[str] = []
    whole = list(chosen) == list(PARTS)
    async with _place(rounds, idle_seconds) as place:
        if place.server is None:
            left_out += [PARTS[name].what for name in chosen if PARTS[name].needs_cluster]
            chosen = [name for name in chosen if not PARTS[name].needs_cluster]
        for name in chosen:
            began = time.monotonic()
            made = await PARTS[name].measure(place)
            rows += made
            print(f"{PARTS[name].what}: measured in {time.monotonic() - began:.0f} s", file=sys.stderr)
            write(made, left_out, whole=False)
    if whole:
        write(rows, left_out, whole=True)
    show(rows, left_out)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[], help="only these; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle-seconds", type=float, default=600, help="how long nothing happens; default: 600")
    options = parser.parse_args()
    return asyncio.run(_run(options.parts or list(PARTS), options.rounds, options.idle_seconds))


if __name__ == "__main__":
    sys.exit(main())
