"""A command in a pod's container, over the exec subresource: a WebSocket with numbered channels in it.

Why not in adapters/cluster.py: only this part of the project runs commands in pods, and what serves events must not be
able to. It uses the Cluster's own connection (its certificates, its credentials), and knows aiohttp, not kubernetes.
Protocol: v5.channel.k8s.io (Kubernetes 1.30) and v4; neither is relied on for the end of input, see scripts.RECEIVE.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from functions.adapters.cluster import FIELD_MANAGER, Cluster
from functions.admin.pvc.errors import Refusal, StepFailed

STDIN, STDOUT, STDERR, ERROR = 0, 1, 2, 3
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
FRAME = 128 * 1024
HEARTBEAT_SECONDS = 30.0
_KEPT = 1024 * 1024  # of what a command writes


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


class Broken(StepFailed):
    """The connection ended before the command did: it may be tried again."""


@dataclass(frozen=True)
class Container:
    """Where commands run."""

    cluster: Cluster
    namespace: str
    pod: str
    name: str

    async def run(self, command: list[str], stdin: AsyncIterator[bytes] | None = None) -> Ended:
        """Broken: the connection was lost. StepFailed: the API server refused. A command that fails is an Ended."""
        channels = {"stdin": stdin is not None, "stdout": True, "stderr": True, "tty": False}
        flags = [(key, "true" if value else "false") for key, value in channels.items()]
        query = urlencode([("container", self.name), *flags, *(("command", word) for word in command)])
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/exec"
        try:
            async with await self._open(path, query) as socket:
                sending = asyncio.create_task(_send(socket, stdin)) if stdin is not None else None
                try:
                    return await _receive(socket, sending)
                finally:
                    if sending:
                        await _end(sending)
        except aiohttp.WSServerHandshakeError as error:
            following = (
                "Ask for the right to create pods/exec."
                if error.status in {401, 403}
                else "Look at the pod, then apply again."
            )
            raise StepFailed(
                f"exec in pod {self.pod}: the API server answered {error.status} {error.message}", following
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Broken(
                f"exec in pod {self.pod}: {type(error).__name__} {error}", "Apply again: it goes on."
            ) from error

    async def _open(self, path: str, query: str) -> aiohttp.ClientWebSocketResponse:
        client = self.cluster._client  # noqa: SLF001 - its connection is the point; see above
        configuration = client.configuration
        headers = {"User-Agent": FIELD_MANAGER}
        await client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        rest = client.rest_client
        rest.pool_manager = rest.pool_manager or rest._create_pool_manager()  # noqa: SLF001 - made at the first request
        session: aiohttp.ClientSession = rest.pool_manager
        return await session.ws_connect(
            f"{configuration.host}{path}?{query}",
            headers=headers,
            protocols=PROTOCOLS,
            heartbeat=HEARTBEAT_SECONDS,
            proxy=configuration.proxy,
            max_msg_size=0,
        )


async def _send(socket: aiohttp.ClientWebSocketResponse, stdin: AsyncIterator[bytes]) -> None:
    async for chunk in stdin:
        for start in range(0, len(chunk), FRAME):
            await socket.send_bytes(bytes((STDIN,)) + chunk[start : start + FRAME])


async def _receive(socket: aiohttp.ClientWebSocketResponse, sending: "asyncio.Task[None] | None") -> Ended:
    """Until the command's status comes. What can't be sent ends it early."""
    written = {STDOUT: bytearray(), STDERR: bytearray()}
    while True:
        message = await _next(socket, sending)
        if message.type is aiohttp.WSMsgType.BINARY and message.data:
            channel, data = message.data[0], message.data[1:]
            if channel == ERROR:
                return Ended(_code(data), *(written[one].decode(errors="replace") for one in (STDOUT, STDERR)))
            if channel in written and len(written[channel]) < _KEPT:
                written[channel] += data
        elif message.type in {
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.CLOSING,
            aiohttp.WSMsgType.ERROR,
        }:
            said = written[STDERR].decode(errors="replace").strip()[-300:]
            raise Broken(f"the connection ended before the command did. {said}".strip(), "Apply again: it goes on.")


async def _next(socket: aiohttp.ClientWebSocketResponse, sending: "asyncio.Task[None] | None") -> aiohttp.WSMessage:
    receiving = asyncio.ensure_future(socket.receive())
    try:
        while not receiving.done():
            await asyncio.wait(
                {receiving, *([sending] if sending and not sending.done() else [])}, return_when="FIRST_COMPLETED"
            )
            if sending and sending.done() and isinstance(sending.exception(), Refusal):
                await sending  # a connection that was lost shows at the receiving end, with the command's own words
    finally:
        if not receiving.done():
            receiving.cancel()
    return receiving.result()


async def _end(sending: "asyncio.Task[None]") -> None:
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


def _code(status: bytes) -> int:
    """A metav1.Status: Success, or Failure with the exit code among its causes."""
    said = json.loads(status)
    if said.get("status") == "Success":
        return 0
    for cause in (said.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise StepFailed(
        f"the command did not run: {said.get('message')}", "Look at the pod and its image, then apply again."
    )
