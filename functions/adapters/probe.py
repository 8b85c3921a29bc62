"""Asking a model's own pods whether they have the model: bounded, side by side, and nobody else is asked.

From inside the cluster the pods are asked directly; from outside through the API server's proxy, which reaches them from
where it is. A redirect is not followed, and no credentials go along.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from typing import Protocol as Interface

import aiohttp

from functions.adapters.answers import Reply, judge, paths
from functions.adapters.cluster import Cluster
from functions.adapters.kserve.served import Protocol, Server
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Answered, PodAnswer

ANSWER_SECONDS = 2.0
CONNECT_SECONDS = 1.0
LOOK_SECONDS = 3.0
_AT_ONCE = 64
_LARGEST_REPLY = 1024 * 1024


class Unreached(Exception):
    """No connection to the server came about: the network between, not the model, may be why."""


class Silent(Exception):
    """The connection was taken, and nothing came."""


class Line(Interface):
    """One way to reach a pod."""

    async def ask(self, server: Server, path: str) -> Reply:
        """Raises Unreached or Silent."""

    async def post(self, server: Server, path: str, body: Any, seconds: float) -> Reply:
        """`body` goes as JSON. Raises Unreached or Silent."""

    async def close(self) -> None: ...


def line_for(way: str | None, cluster: Cluster) -> Line | None:
    """`way`: pods, apiserver, off, or None: inside a cluster its pods can be reached; from elsewhere only its API server
    is sure to.
    """
    inside = "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
    match way or ("pods" if inside else "apiserver"):
        case "pods":
            return DirectLine()
        case "apiserver":
            return ProxyLine(cluster)
        case _:
            return None


class DirectLine:
    """To the pod's own address. Certificates are not checked: a pod's are its own, and nothing secret is sent."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, server: Server, path: str) -> Reply:
        return await self._request("GET", server, path, None, ANSWER_SECONDS)

    async def post(self, server: Server, path: str, body: Any, seconds: float) -> Reply:
        return await self._request("POST", server, path, body, seconds)

    async def _request(self, method: str, server: Server, path: str, body: Any, seconds: float) -> Reply:
        address = _address(server)
        host = f"[{address}]" if ":" in address else address
        url = f"{'https' if server.tls else 'http'}://{host}:{server.port}{path}"
        limit = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._connected().request(
                method, url, json=body, allow_redirects=False, timeout=limit
            ) as response:
                return Reply(response.status, await _read(response.content))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreached(f"no connection to {host}:{server.port} ({_words(error)})") from error
        except TimeoutError as error:
            raise Silent(f"{host}:{server.port} took the connection and said nothing for {seconds:.0f}s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreached(f"{host}:{server.port} closed the connection ({_words(error)})") from error

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_AT_ONCE, force_close=True, ssl=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


class ProxyLine:
    """Through the API server: `pods/NAME:PORT/proxy`, which needs the right to `get pods/proxy`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def ask(self, server: Server, path: str) -> Reply:
        return await self._request(
            server, self._cluster.raw_get(_proxied(server, path), ANSWER_SECONDS), ANSWER_SECONDS
        )

    async def post(self, server: Server, path: str, body: Any, seconds: float) -> Reply:
        """Needs the right to `create pods/proxy`."""
        return await self._request(server, self._cluster.raw_post(_proxied(server, path), body, seconds), seconds)

    async def _request(self, server: Server, asked: Awaitable[tuple[int, bytes]], seconds: float) -> Reply:
        try:
            status, body = await asked
        except TimeoutError as error:
            raise Silent(f"{server.pod}:{server.port} said nothing for {seconds:.0f}s") from error
        except StepError as error:
            raise Unreached(error.message) from error
        if said := _api_servers_own(status, body):
            raise Unreached(f"the API server did not reach {server.pod}:{server.port} ({said})")
        return Reply(status, body)

    async def close(self) -> None:
        """Nothing of its own is open."""


@dataclass
class Probe:
    """`line` None: nobody is asked."""

    line: Line | None

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        if self.line:
            await self.line.close()

    async def ask(self, servers: Sequence[Server], within: float = LOOK_SECONDS) -> dict[str, PodAnswer]:
        """By the pod's uid. Who could not be asked in time is left out: then what was known before holds."""
        if not servers:
            return {}
        if self.line is None:
            return {server.pod_uid: PodAnswer(Answered.UNASKABLE, "asking is turned off") for server in servers}
        asking = {asyncio.ensure_future(self._in_turn(self.line, server)): server for server in servers}
        done, late = await asyncio.wait(asking, timeout=within)
        for task in late:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*late, return_exceptions=True)
        return {asking[task].pod_uid: task.result() for task in done}

    async def _in_turn(self, line: Line, server: Server) -> PodAnswer:
        async with self._turns:
            try:
                return await _ask_one(line, server)
            except Unreached as error:
                return PodAnswer(Answered.UNASKABLE, str(error))
            except Silent as error:
                return PodAnswer(Answered.UNANSWERED, str(error))


async def _ask_one(line: Line, server: Server) -> PodAnswer:
    """Each protocol and name until one is understood; a model that is missing under one name may have another."""
    understood: PodAnswer | None = None
    for protocol in server.protocols:
        for path in dict.fromkeys(path for name in server.names for path in paths(protocol, name)):
            reply = await line.ask(server, path)
            what = judge(protocol, reply, server.names)
            if what is Answered.LOADED:
                return PodAnswer(what, f"GET {path}: {reply.status}")
            if what and understood is None:
                understood = PodAnswer(what, f"GET {path}: {reply.said}")
        if understood and understood.what is Answered.MISSING and not server.told:
            return await _under_any_name(line, server) or understood
        if understood:
            return understood
    spoken = "it speaks gRPC only" if Protocol.GRPC in server.protocols else "its server speaks no protocol that tells"
    return PodAnswer(Answered.UNASKABLE, spoken, own_protocol=Protocol.GRPC not in server.protocols)


async def _under_any_name(line: Line, server: Server) -> PodAnswer | None:
    """A server that nobody told a name serves its model under one of its own."""
    reply = await line.ask(server, "/v1/models")
    if judge(Protocol.OPENAI, reply, ()) is Answered.LOADED:
        return PodAnswer(Answered.LOADED, f"GET /v1/models: {reply.said}")
    return None


async def _read(content: aiohttp.StreamReader) -> bytes:
    """What comes in pieces is put together, up to a limit."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) >= _LARGEST_REPLY:
            break
    return bytes(body[:_LARGEST_REPLY])


def _address(server: Server) -> str:
    """Raises Unreached where there is none."""
    if not server.address:
        raise Unreached(f"{server.pod} has no address")
    return server.address


def _proxied(server: Server, path: str) -> str:
    """Raises Unreached as `_address`: the API server has nobody to ask then."""
    _address(server)
    scheme = "https:" if server.tls else ""
    return f"/api/v1/namespaces/{server.namespace}/pods/{scheme}{server.pod}:{server.port}/proxy{path}"


def _api_servers_own(status: int, body: bytes) -> str | None:
    """The message of an answer that the API server gave in the pod's place."""
    if status < HTTPStatus.BAD_REQUEST:
        return None
    try:
        document = json.loads(body)
    except ValueError:
        return None
    if isinstance(document, dict) and document.get("kind") == "Status" and document.get("apiVersion") == "v1":
        return str(document.get("message"))[:200]
    return None


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
