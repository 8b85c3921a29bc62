"""`python -m functions.local.kserve [NAMESPACE ...]`: the simulated KServe on the cluster of $KUBECONFIG.

Prints one line when it watches, and one for each object that it can't reconcile. Without namespaces: all of them.
"""

import asyncio
import contextlib
import signal
import sys

from functions.local.kserve.cluster import Cluster
from functions.local.kserve.controllers import Controllers


async def main(namespaces: list[str]) -> None:
    cluster = await Cluster.connect()
    watching = asyncio.Event()
    running = asyncio.create_task(Controllers(cluster, namespaces).run(watching))
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, running.cancel)
    announcing = asyncio.create_task(_announce(cluster, watching))
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        announcing.cancel()
        await cluster.close()


async def _announce(cluster: Cluster, watching: asyncio.Event) -> None:
    await watching.wait()
    print(f"kserve: simulated controllers watch {cluster.host}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
