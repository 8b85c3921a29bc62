"""Where an API server is, and what proves who asks it."""

import ssl
from dataclasses import dataclass, field
from typing import TypedDict

import aiohttp

_LINE_BYTES = 2**21  # of a watch: an event is one line


class Route(TypedDict):
    """What aiohttp is told with each request."""

    proxy: str | None
    server_hostname: str | None


@dataclass
class Access:
    """One API server and one account. The fields that a kubeconfig sets have the names of the official client's
    Configuration, whose loader fills them.
    """

    host: str = ""
    api_key: dict[str, str] = field(default_factory=dict)
    ssl_ca_cert: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify_ssl: bool = True
    tls_server_name: str | None = None
    proxy: str | None = None

    def authorization(self) -> dict[str, str]:
        """The header that carries the token; empty where a certificate proves who asks, or nothing does."""
        token = self.api_key.get("BearerToken")
        return {"authorization": token} if token else {}

    def tls(self) -> ssl.SSLContext | None:
        """None where the server is reached without TLS."""
        if not self.host.startswith("https:"):
            return None
        context = ssl.create_default_context(cafile=self.ssl_ca_cert)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        if not self.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def route(self) -> Route:
        return {"proxy": self.proxy, "server_hostname": self.tls_server_name}


def open_session(context: ssl.SSLContext | None, connections: int) -> aiohttp.ClientSession:
    """Without anything from the environment: aiohttp would ask a thread for ~/.netrc, and another for the proxy, before
    every request. `connections`: at most; 0 for as many as are wanted.
    """
    connector = aiohttp.TCPConnector(limit=connections, ssl=context or True)
    return aiohttp.ClientSession(connector=connector, trust_env=False, read_bufsize=_LINE_BYTES)
