"""The simulated API server as a process of its own, without anything that turns objects into pods: they stay as made."""

import asyncio
import sys
from pathlib import Path

from functions.local.kubernetes.server import Settings, serve, write_kubeconfig


def main() -> None:
    """argv: where to write the kubeconfig."""
    kubeconfig = Path(sys.argv[1])
    asyncio.run(serve(Settings(workloads=False), lambda url: write_kubeconfig(kubeconfig, url)))


if __name__ == "__main__":
    main()
