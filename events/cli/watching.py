"""`modelswitch watch`: the models' states now, then every change, across lost connections."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from events.cli.exits import CliError, Exit
from events.cli.names import Target, targets
from events.cli.options import Connection, Selection
from events.cli.server import ModelServer, parse_status, reaching, refusal
from events.cli.sse import ServerSent, parse
from events.cli.terminal import say, say_json, stderr_console
from events.cli.words import sentence
from events.status import ModelStatus

# The server sends a heartbeat far more often; a connection that is silent for longer is dead.
_SILENCE = httpx.Timeout(60.0, connect=5.0)
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 5.0


@dataclass
class _Watch:
    """What one `watch` has seen: where the stream was left, and the last line said about each model."""

    server: ModelServer
    target: Target | None
    namespace: str | None
    as_json: bool
    last_id: str | None = None
    wait: float = _FIRST_WAIT_SECONDS
    said: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def run(self) -> None:
        """Goes on until it is interrupted. CliError where the first connection fails."""
        self._follow_stream()
        while True:
            time.sleep(self.wait)
            self.wait = min(self.wait * 2, _LONGEST_WAIT_SECONDS)
            try:
                self._follow_stream()
            except CliError as error:
                if error.exit_code is not Exit.NOT_REACHABLE:
                    raise
                stderr_console().print(f"{error.message}; trying again in {self.wait:g}s")

    def _follow_stream(self) -> None:
        """Returns when the server ends the stream or the connection is lost after it had begun."""
        try:
            for event in self._events():
                self.last_id = event.id or self.last_id
                self._take(event)
        except (httpx.TransportError, ValueError):
            stderr_console().print("The connection was lost; connecting again.")

    def _take(self, event: ServerSent) -> None:
        """`reset`: the server's history has a gap. Facts and kinds of events that come later are passed over."""
        if event.event == "model":
            self._tell(parse_status(json.loads(event.data)))
        elif event.event == "deleted":
            self._tell_deleted(json.loads(event.data))
        elif event.event == "reset":
            for status in self._present():
                self._tell(status)

    def _events(self) -> Iterator[ServerSent]:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": self.last_id} if self.last_id else {})
        client = self.server.client
        request = client.build_request("GET", "/api/v1/events", params=self._scope(), headers=headers, timeout=_SILENCE)
        with reaching(client):
            response = client.send(request, stream=True)
        try:
            if not response.is_success:
                response.read()
                raise refusal(response)
            self.wait = _FIRST_WAIT_SECONDS
            for status in self._present():
                self._tell(status)
            yield from parse(response.iter_lines())
        finally:
            response.close()

    def _present(self) -> list[ModelStatus]:
        """Read after the stream is open, so nothing falls between."""
        if self.target:
            return [self.server.status(self.target)]
        return self.server.models(self._scope())

    def _scope(self) -> dict[str, str]:
        return {"namespace": self.namespace} if self.namespace else {}

    def _wanted(self, namespace: str, name: str, kind: str) -> bool:
        one = self.target
        return one is None or (one.name == name and one.namespace in {None, namespace} and one.kind in {None, kind})

    def _tell(self, status: ModelStatus) -> None:
        key = (status.namespace, status.name, status.kind.value)
        if not self._wanted(*key):
            return
        line = sentence(status)
        if self.said.get(key) == line:
            return
        self.said[key] = line
        if self.as_json:
            say_json(status.model_dump(mode="json"))
        else:
            say(f"{status.observed_at.astimezone():%H:%M:%S} {line}")

    def _tell_deleted(self, gone: dict[str, Any]) -> None:
        namespace, name, kind = (str(gone.get(part)) for part in ("namespace", "name", "kind"))
        self.said.pop((namespace, name, kind), None)
        if not self._wanted(namespace, name, kind):
            return
        if self.as_json:
            say_json({"namespace": namespace, "name": name, "kind": kind, "deleted": True})
        else:
            say(f"{datetime.now().astimezone():%H:%M:%S} {namespace}/{name}: deleted")


def watch(selection: Selection, connection: Connection, *, as_json: bool) -> None:
    """Never ends by itself."""
    found = targets(selection)
    target = found[0] if found else None
    namespace = target.namespace if target else selection.namespace
    with ModelServer.connect(connection) as server:
        _Watch(server, target, namespace, as_json).run()
