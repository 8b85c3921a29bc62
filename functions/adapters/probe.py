"""Asking a model's own pods whether they have the model: bounded, side by side, in fair turns, and nothing else is
asked.

From inside the cluster the pods are asked directly; from outside through the API server's proxy, which reaches them from
where it is. A redirect is not followed, and no credentials go along but those that the model's owner gives.
"""

import asyncio
import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from functions.adapters import bounded_http
from functions.adapters.answers import NoCredentials, NotHttp, NotPermitted, Reply, Silent, Unreached, shown
from functions.adapters.cluster import Cluster, Forbidden
from functions.adapters.conversation import WHOLE, Bounds, Conversation, Line, could_not
from functions.adapters.kserve.pod_credentials import PodCredentials
from functions.adapters.kserve.served import Server
from functions.adapters.segments import quoted
from functions.adapters.turns import Turns
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Answered, PodAnswer

LOOK_SECONDS = 3.0
AT_ONCE = 64
AT_ONCE_OF_ONE_NAMESPACE = 48
_REMEMBERED = 10_000


def line_for(way: str | None, cluster: Cluster) -> Line | None:
    """`way`: pods, apiserver, off, or None: inside a cluster its pods can be reached; from elsewhere only its API server
    is sure to.
    """
    inside = "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
    match way or ("pods" if inside else "apiserver"):
        case "pods":
            return DirectLine(PodCredentials(cluster))
        case "apiserver":
            return ProxyLine(cluster)
        case _:
            return None


class DirectLine:
    """To the pod's own address. Certificates are not checked: a pod's are its own. What its owner's Secret has for it is
    sent to no other address, and nothing of ours is.
    """

    def __init__(self, credentials: PodCredentials | None = None) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._credentials = credentials

    async def authorization(self, server: Server) -> str:
        if self._credentials is None:
            raise NoCredentials("modelswitch has none")
        return await self._credentials.authorization(server.namespace, server.secret)

    async def ask(self, server: Server, path: str, bounds: Bounds = WHOLE) -> Reply:
        return await self._request("GET", server, path, None, bounds)

    async def post(self, server: Server, path: str, body: Any, bounds: Bounds = WHOLE) -> Reply:
        return await self._request("POST", server, path, body, bounds)

    async def _request(self, method: str, server: Server, path: str, body: Any, bounds: Bounds) -> Reply:
        address = _address(server)
        host = f"[{address}]" if ":" in address else address
        url = f"{'https' if server.tls else 'http'}://{host}:{server.port}{path}"
        try:
            found = await bounded_http.exchange(
                self._connected(),
                method,
                url,
                seconds=bounds.seconds,
                most=bounds.octets,
                headers={"Authorization": server.authorization} if server.authorization else None,
                body=body,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreached(f"no connection to {host}:{server.port} ({_words(error)})") from error
        except TimeoutError as error:
            said = f"{host}:{server.port} took the connection and said nothing for {bounds.seconds:.1f}s"
            raise Silent(said) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotHttp(f"{host}:{server.port} closed the connection or speaks no HTTP ({_words(error)})") from error
        return Reply(*found)

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = bounded_http.session(aiohttp.TCPConnector(limit=0, force_close=True, ssl=False))
        return self._session


class ProxyLine:
    """Through the API server: `pods/NAME:PORT/proxy`, which needs the right to `get pods/proxy`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def authorization(self, server: Server) -> str:
        raise NoCredentials(f"none can be sent to {server.pod} through the API server")

    async def ask(self, server: Server, path: str, bounds: Bounds = WHOLE) -> Reply:
        return await self._request("GET", server, path, None, bounds)

    async def post(self, server: Server, path: str, body: Any, bounds: Bounds = WHOLE) -> Reply:
        """Needs the right to `create pods/proxy`."""
        return await self._request("POST", server, path, body, bounds)

    async def _request(self, method: str, server: Server, path: str, body: Any, bounds: Bounds) -> Reply:
        try:
            found = await self._cluster.raw(
                method, _proxied(server, path), body, seconds=bounds.seconds, most=bounds.octets
            )
        except TimeoutError as error:
            raise Silent(f"{server.pod}:{server.port} said nothing for {bounds.seconds:.1f}s") from error
        except StepError as error:
            raise (NotPermitted if isinstance(error, Forbidden) else Unreached)(error.message) from error
        reply = Reply(*found)
        if said := _api_servers_own(reply):
            connected = Unreached if "dial" in said else NotHttp
            kind = NotPermitted if reply.status == HTTPStatus.FORBIDDEN else connected
            raise kind(f"the API server did not reach {server.pod}:{server.port} ({said})")
        return reply

    async def close(self) -> None:
        """Nothing of its own is open."""


@dataclass
class Probe:
    """`line` None: no pod is asked. Callers that share a probe share its turns, fairly between the pods' namespaces."""

    line: Line | None

    def __post_init__(self) -> None:
        self._turns = Turns(AT_ONCE, AT_ONCE_OF_ONE_NAMESPACE)
        self.metrics_turns = Turns(AT_ONCE, AT_ONCE_OF_ONE_NAMESPACE)
        self._left_out: dict[str, int] = {}
        self._numbers = itertools.count()

    async def close(self) -> None:
        if self.line:
            await self.line.close()

    async def ask(self, servers: Sequence[Server], within: float = LOOK_SECONDS) -> dict[str, PodAnswer]:
        """By the pod's uid. Who could not be asked in time is left out: then what was known before holds."""
        if not servers:
            return {}
        if self.line is None:
            return {server.pod_uid: PodAnswer(Answered.UNASKABLE, "asking is turned off") for server in servers}
        asking = {asyncio.ensure_future(self._in_turn(self.line, server)): server for server in self._in_order(servers)}
        try:
            done, late = await asyncio.wait(asking, timeout=within)
        finally:
            for task in asking:
                task.cancel()
        self._remember(
            [asking[task].pod_uid for task in done], [server.pod_uid for task, server in asking.items() if task in late]
        )
        return {asking[task].pod_uid: task.result() for task in done}

    async def _in_turn(self, line: Line, server: Server) -> PodAnswer:
        """Whatever goes wrong is about this pod, and is its answer."""
        async with self._turns.turn(server.namespace):
            try:
                return await Conversation(line, server).ask()
            except Silent as error:
                return PodAnswer(Answered.UNANSWERED, shown(str(error), 300))
            except Exception as error:  # noqa: BLE001 - one pod's odd answer must not cost the others theirs
                return could_not(error)

    def _in_order(self, servers: Sequence[Server]) -> list[Server]:
        """Who was left out comes first, longest first, so that no pod waits behind the same others for ever."""
        return sorted(servers, key=lambda server: self._left_out.get(server.pod_uid, math.inf))

    def _remember(self, asked: Sequence[str], left_out: Sequence[str]) -> None:
        for uid in asked:
            self._left_out.pop(uid, None)
        for uid in left_out:
            self._left_out.setdefault(uid, next(self._numbers))
        while len(self._left_out) > _REMEMBERED:
            del self._left_out[next(iter(self._left_out))]


def _address(server: Server) -> str:
    """Raises Unreached where there is none."""
    if server.unusable:
        raise Unreached(f"{server.pod}: {server.unusable}")
    if not server.address:
        raise Unreached(f"{server.pod} has no address")
    return server.address


def _proxied(server: Server, path: str) -> str:
    """Raises Unreached as `_address`: without an address the API server has no target to ask."""
    _address(server)
    scheme = "https:" if server.tls else ""
    namespace, pod = quoted(server.namespace), quoted(server.pod)
    if not namespace or not pod:
        raise Unreached(f"{shown(server.pod)} is not a valid name of a pod")
    return f"/api/v1/namespaces/{namespace}/pods/{scheme}{pod}:{server.port}/proxy{path}"


def _api_servers_own(reply: Reply) -> str | None:
    """The message of an answer that the API server gave in the pod's place."""
    document = reply.document
    if (
        reply.status >= HTTPStatus.BAD_REQUEST
        and document.get("kind") == "Status"
        and document.get("apiVersion") == "v1"
    ):
        return shown(str(document.get("message")), 200)
    return None


def _words(error: BaseException) -> str:
    return shown(str(error) or type(error).__name__, 200)
