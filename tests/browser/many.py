"""10,000 models, measured: `python tests/browser/many.py`. A report, not a test; `make bench` measures open dashboards.

Real API process, real Redis, records as the product writes them; only KServe's objects are not there, so nothing looks at
them in between.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/functions"))

from api_rig import world

from events.model import ModelRef
from events.status import State
from functions.adapters.store import Store
from functions.lifecycle.effects import AuditEntry
from functions.lifecycle.record import Record
from functions.reconcile.ports import Commit


def record(number):
    ref = ModelRef(namespace=f"team-{number % 40:02}", name=f"model-{number:05}")
    states = [State.RUNNING, State.RUNNING, State.RUNNING, State.STOPPED, State.ERROR]
    now = datetime.now(UTC)
    return Record(
        ref=ref,
        uid=f"uid-{number}",
        version=1,
        pods_version=1,
        state=states[number % 5],
        since=now,
        gpus=number % 3,
        memory=number % 7 * 2**30,
        endpoint=f"http://{ref.name}.example.com",
        labels={"team": ref.namespace, "app": ref.name},
        observed_at=now,
    )


def commit(one):
    entry = AuditEntry(one.observed_at, one.ref, "state", "modelswitch", state=one.state, previous="running")
    return Commit(one.ref, 0, one, audit=(entry,))


async def fill(store, models):
    for start in range(0, models, 500):
        await asyncio.gather(
            *map(store.commit, [commit(record(number)) for number in range(start, min(start + 500, models))])
        )


def usage(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20
    return (int(fields[11]) + int(fields[12])) / 100, resident


def first_paints(url, rounds=5):
    """Milliseconds to the first contentful paint in a fresh Chromium page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        found = []
        for _ in range(rounds):
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(url)
            entry = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
            page.wait_for_function(f"{entry} > 0")
            found.append(page.evaluate(entry))
            page.context.close()
        browser.close()
    return found


def api_pid(api):
    port = api.base_url.port
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"PORT={port}".encode() in path.read_bytes().split(b"\0"):
                return int(path.parent.name)
        except OSError:
            continue
    raise RuntimeError("the API's process was not found")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as made:
        store = Store.connect(made.redis_url)
        asyncio.run(fill(store, arguments.models))
        made.synced()
        with made.api(AUTH="none", LOG_LEVEL="WARNING") as api:
            pid, url = api_pid(api), str(api.base_url)
            begun = time.perf_counter()
            assert api.get("/").status_code == 200
            print(
                f"{arguments.models} models: first page of a new API process {1000 * (time.perf_counter() - begun):.0f} ms"
            )
            for path in ("/", "/?sort=-gpus", "/?q=model-0777", "/?state=error&page=20", "/capacity"):
                taken = []
                for _ in range(7):
                    begun = time.perf_counter()
                    api.get(path).raise_for_status()
                    taken.append(1000 * (time.perf_counter() - begun))
                print(
                    f"{arguments.models} models: GET {path}: median {statistics.median(taken):.0f} ms, worst {max(taken):.0f} ms"
                )
            paints = first_paints(url)
            print(
                f"first contentful paint in Chromium: median {statistics.median(paints):.0f} ms, worst {max(paints):.0f} ms"
            )
            print(f"API resident with {arguments.models} models: {usage(pid)[1]:.0f} MiB")


if __name__ == "__main__":
    main()
