"""`python -m functions.local.broker`: the broker as a process of its own."""

import argparse
import os
import socket
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from functions.local.broker.dispatcher import Dispatcher
from functions.local.broker.ingress import Ingress
from functions.local.broker.manifests import NOT_DEPLOYED, ManifestError, load
from functions.local.broker.queue import Queue
from functions.logs import configure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m functions.local.broker", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081, help="0 takes a free one")
    parser.add_argument("--db", type=Path, default=Path(".run/broker.db"), help="the queue's SQLite file")
    parser.add_argument("--manifests", type=Path, action="append", help="file or folder with Broker and Triggers")
    parser.add_argument("--subscriber", type=_pair, action="append", default=[], metavar="NAME=URL")
    return parser.parse_args()


def _pair(text: str) -> tuple[str, str]:
    name, found, url = text.partition("=")
    if not found or not url.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=http://…")
    return name, url


def _secret(environment: Mapping[str, str]) -> str:
    """The current one, as functions read it; without one, functions refuse what this broker delivers."""
    return environment.get("DELIVERY_SECRETS", "").partition(",")[0].strip() or NOT_DEPLOYED


def main() -> int:
    """Serve until SIGINT or SIGTERM; 1 for manifests, a port or a file that can't be used."""
    given = _arguments()
    configure("json" if os.environ.get("LOG_FORMAT") == "json" else "console", os.environ.get("LOG_LEVEL", "INFO"))
    try:
        brokers = load(given.manifests or [Path("knative/base")], dict(given.subscriber), _secret(os.environ))
        bound = socket.create_server((given.host, given.port), backlog=1024)
        # asyncio sets this only on sockets that it makes itself; without it each answer waits 40 ms for an ACK.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        queue = Queue(given.db)
    except ManifestError as error:
        return _refuse(str(error))
    except sqlite3.Error as error:
        return _refuse(f"{given.db} can't be used ({error}); is another broker running on it? Choose another with --db")
    except OSError as error:
        return _refuse(f"port {given.port} can't be used ({error.strerror}); choose another with --port")
    app = Ingress(brokers, Dispatcher(brokers, queue)).app()
    for broker in brokers:
        names = ", ".join(trigger.name for trigger in broker.triggers)
        print(f"http://{given.host}:{bound.getsockname()[1]}{broker.path} takes events for {names}", flush=True)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, timeout_keep_alive=75
    )
    try:
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        queue.close()
    return 0


def _refuse(reason: str) -> int:
    print(f"broker: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
