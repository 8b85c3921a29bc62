"""`python -m functions.local.kserve [NAMESPACE ...]`: the simulated KServe on the cluster of $KUBECONFIG.

Prints one line when it watches, and one for each object that it can't reconcile. Without namespaces: all of them. SIGTERM ends
it at once: like any controller it may be gone at any point.
"""

import asyncio
import contextlib
import sys

from functions.local.kserve.cluster import Cluster
from functions.local.kserve.controllers import Controllers
from functions.local.supervisor.part import WATCHING


async def main(namespaces: list[str]) -> None:
    cluster = await Cluster.connect()
    watching = asyncio.Event()
    announcing = asyncio.create_task(_announce(cluster, watching))
    try:
        await Controllers(cluster, namespaces).run(watching)
    finally:
        announcing.cancel()
        await cluster.close()


async def _announce(cluster: Cluster, watching: asyncio.Event) -> None:
    await watching.wait()
    print(f"kserve: simulated controllers watch {cluster.host} {WATCHING}", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1:]))
