"""`python -m functions.api`: the REST API and dashboard on HOST:PORT."""

import socket
import sys

import uvicorn
from pydantic import ValidationError

from functions.api.app import create_app
from functions.api.tls import Certificate
from functions.logs import configure, logger
from functions.same_origin import is_loopback
from functions.settings import Settings

SHUTDOWN_SECONDS = 5
KEEP_ALIVE_SECONDS = 75
"""Longer than most proxies and clients keep an idle connection (60 s): they must close it first. A request that arrives
while the server closes the connection (uvicorn's default: after 5 s) is reset, and no client may retry a POST
by itself.
"""


def main() -> int:
    """1 where the environment forbids to start; each time with the way out."""
    try:
        settings = Settings()
        configure(settings.log_format, settings.log_level)
    except (ValidationError, KeyError) as error:
        return _refuse(f"the environment holds something unusable: {error}")
    if settings.auth == "none" and not is_loopback(settings.host):
        return _refuse(
            f"AUTH=none with HOST={settings.host} would let the whole network stop models; "
            "expected HOST=127.0.0.1, or AUTH=token"
        )
    if taken := _taken(settings):
        return _refuse(f"{settings.host}:{settings.port} can't be listened on ({taken}); set PORT to another one")
    logger().info("listening", action="api-started", host=settings.host, port=settings.port, auth=settings.auth)
    try:
        certificate = Certificate.read(settings)
    except OSError as error:
        return _refuse(
            f"TLS_CERT_FILE={settings.tls_cert_file} can't be used ({error}); mount the certificate and its key"
        )
    config = uvicorn.Config(
        create_app(settings, {"certificate": certificate.watch} if certificate else {}),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ssl_context_factory=certificate.serve if certificate else None,
    )
    uvicorn.Server(config).run()
    return 0


def _taken(settings: Settings) -> str | None:
    """Why the port can't be had; uvicorn says it too, but behind a traceback."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError as error:
            return error.strerror
    return None


def _refuse(why: str) -> int:
    sys.stderr.write(f"modelswitch api: {why}.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
