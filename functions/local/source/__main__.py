"""`python -m functions.local.source --sink URL`: notifications about models and their pods, and pings, to a broker."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kubernetes.aio.config.config_exception import ConfigException

from functions.local.broker.manifests import ManifestError
from functions.local.source.api import KubernetesApi
from functions.local.source.manifests import Ping, Watched, load
from functions.local.source.resource_events import ping_event, resource_event
from functions.local.source.sender import Sender
from functions.local.source.watching import Watching
from functions.local.supervisor.part import WATCHING
from functions.logs import configure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m functions.local.source", description=__doc__)
    parser.add_argument("--sink", default=os.environ.get("K_SINK"), help="the broker's URL; default: $K_SINK")
    parser.add_argument("--manifests", type=Path, action="append", help="file or folder with the sources")
    return parser.parse_args()


async def _run(sink: str, watched: Sequence[Watched], pings: Sequence[Ping]) -> None:
    api = await KubernetesApi.connect()
    try:
        async with Sender(sink) as sender, asyncio.TaskGroup() as group:
            watching = [_watching(api, item, sender) for item in watched]
            for one in watching:
                group.create_task(one.run())
            await asyncio.gather(*(one.started.wait() for one in watching))
            for ping in pings:
                group.create_task(_ping(ping, sender))
            kinds = ", ".join(dict.fromkeys(item.kind for item in watched))
            print(f"watches {api.host} for {kinds} {WATCHING}", flush=True)
    finally:
        await api.close()


def _watching(api: KubernetesApi, watched: Watched, sender: Sender) -> Watching:
    return Watching(api, watched, lambda change, item: sender.send(resource_event(change, item, watched, api.host)))


async def _ping(ping: Ping, sender: Sender) -> None:
    """On schedule, and once at the start: what existed before the watches began is found now, not seconds later."""
    await sender.send(ping_event(ping))
    while True:
        await asyncio.sleep(ping.every - time.time() % ping.every)
        await sender.send(ping_event(ping))


async def _until_signal(work: asyncio.Task[None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def _main(sink: str, watched: Sequence[Watched], pings: Sequence[Ping]) -> None:
    await _until_signal(asyncio.create_task(_run(sink, watched, pings)))


def main() -> int:
    """Run until SIGINT or SIGTERM; 1 without a sink, a cluster or manifests that can be used."""
    given = _arguments()
    configure("json" if os.environ.get("LOG_FORMAT") == "json" else "console", os.environ.get("LOG_LEVEL", "INFO"))
    if not given.sink:
        return _refuse("no sink; name the broker's URL with --sink or K_SINK")
    try:
        watched, pings = load(given.manifests or [Path("knative/base")])
        asyncio.run(_main(given.sink, watched, pings))
    except ManifestError as error:
        return _refuse(str(error))
    except (ConfigException, OSError) as error:
        return _refuse(f"no cluster is configured ({error}); set KUBECONFIG")
    return 0


def _refuse(reason: str) -> int:
    print(f"source: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
