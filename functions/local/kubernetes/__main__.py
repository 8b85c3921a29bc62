"""`python -m functions.local.kubernetes`: the simulated cluster as a process of its own."""

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path

from functions.local.kubernetes import identities
from functions.local.kubernetes.kubelet import Pace
from functions.local.kubernetes.server import Settings, serve, write_kubeconfig


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m functions.local.kubernetes", description=__doc__)
    parser.add_argument("--port", type=int, default=6443, help="0 takes a free one")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=4, help="nvidia.com/gpu of each node")
    parser.add_argument("--cpu", default="32", help="of each node")
    parser.add_argument("--memory", default="256Gi", help="of each node")
    parser.add_argument("--start-seconds", type=float, default=Pace.start, help="until a container is ready")
    parser.add_argument("--shutdown-seconds", type=float, default=Pace.shutdown, help="until a container has ended")
    parser.add_argument("--tokens", type=Path, help="JSON: {token: {user, groups, namespaces, audiences}}")
    parser.add_argument("--require-token", action="store_true", help="401 for requests without one")
    parser.add_argument("--kubeconfig-out", type=Path)
    parser.add_argument("--verbose", action="store_true", help="show what controllers try again")
    return parser.parse_args()


def main() -> int:
    """Serve until SIGINT or SIGTERM; 1 when the port is taken."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO if given.verbose else logging.WARNING)
    settings = Settings(
        port=given.port,
        nodes=given.nodes,
        gpus=given.gpus,
        cpu=given.cpu,
        memory=given.memory,
        pace=Pace(given.start_seconds, given.shutdown_seconds),
        tokens=identities.read(json.loads(given.tokens.read_text())) if given.tokens else {},
        anonymous=not given.require_token,
    )

    def listening(url: str) -> None:
        if given.kubeconfig_out:
            write_kubeconfig(given.kubeconfig_out, url)
        print(f"simulated Kubernetes API listens on {url}", flush=True)

    try:
        asyncio.run(serve(settings, listening))
    except OSError as error:
        print(f"port {given.port} can't be used ({error}); choose another with --port", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
