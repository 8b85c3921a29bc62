"""A plain HTTP session with whatever API server a kubeconfig names."""

import os
import ssl
from pathlib import Path

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration


def named_kubeconfig() -> Path | None:
    """Of the real cluster to play on; None: on a simulated one."""
    named = os.environ.get("MODELSWITCH_TEST_KUBECONFIG")
    return Path(named) if named else None


async def api_session(kubeconfig: Path, at_once: int = 0) -> aiohttp.ClientSession:
    """`at_once`: connections at most, 0 for as many as are asked for."""
    settings = Configuration()
    await config.load_kube_config(config_file=str(kubeconfig), client_configuration=settings)
    tls: ssl.SSLContext | bool = True
    if settings.host.startswith("https"):
        tls = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        if settings.cert_file:
            tls.load_cert_chain(settings.cert_file, settings.key_file)
    token = await settings.get_api_key_with_prefix("BearerToken")
    headers = {"Authorization": token} if token else {}
    connector = aiohttp.TCPConnector(limit=at_once, ssl=tls)
    return aiohttp.ClientSession(settings.host, connector=connector, headers=headers)
