"""Every command outside Redis too: one log line, for log collectors, and a Kubernetes Event on the model.

Both are told by the process that carried the command out. An Event that can't be written fails no command.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Counter

from events.errors import ModelswitchError
from events.model import Kind
from functions.adapters.cluster import Changed, Cluster
from functions.lifecycle.effects import Handled
from functions.lifecycle.request import Request
from functions.logs import logger

WRITTEN = Counter("modelswitch_kubernetes_events_total", "Kubernetes Events on models, by outcome.", ["outcome"])
COMPONENT = "modelswitch"
MOST_CHARACTERS = 1000
PER_MINUTE = 60
"""Events of one namespace: a flood of refused commands must not become one at the API server."""
_WAITING = 256
_NAMESPACES = 1000
_PAUSE_SECONDS = 60.0
_CLOSE_SECONDS = 1.0
_VERSIONS = {
    Kind.INFERENCE_SERVICE: "serving.kserve.io/v1beta1",
    Kind.LLM_INFERENCE_SERVICE: "serving.kserve.io/v1alpha1",
    Kind.INFERENCE_GRAPH: "serving.kserve.io/v1alpha1",
}


@dataclass(frozen=True)
class Outcome:
    """What became of a command. `code` of what refused it. `uid` of the model, "" where it is not known."""

    changed: bool = False
    recorded: bool = True
    code: str | None = None
    message: str | None = None
    uid: str = ""

    @property
    def word(self) -> str:
        return self.code or (Handled.CHANGED if self.changed else Handled.UNCHANGED)


class CommandLog:
    """`cluster` None: only log lines."""

    def __init__(self, cluster: Cluster | None) -> None:
        self._cluster = cluster
        self._waiting: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_WAITING)
        self._worker: asyncio.Task[None] | None = None
        self._written: OrderedDict[str, list[float]] = OrderedDict()
        self._paused_until = 0.0

    def tell(self, request: Request, outcome: Outcome, *, settled: bool = True) -> None:
        """`settled`: nothing more will come of it; else it may come again, and only the log has it."""
        logger().info(
            outcome.word,
            action="command",
            model=request.ref.subject,
            verb=request.verb,
            actor=request.actor,
            claimed_actor=request.claimed_actor,
            channel=request.channel,
            source=request.source,
            event_id=request.id,
            correlation_id=request.correlation_id,
            changed=outcome.changed,
            recorded=outcome.recorded,
            reason=request.command.reason,
            message=outcome.message,
        )
        if settled and outcome.uid and self._cluster and self._has_room(request.ref.namespace):
            self._write_later(f"/api/v1/namespaces/{request.ref.namespace}/events", _event(request, outcome))

    async def close(self) -> None:
        if self._worker is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), _CLOSE_SECONDS)
        self._worker.cancel()
        with suppress(asyncio.CancelledError):
            await self._worker

    def _has_room(self, namespace: str) -> bool:
        now = time.monotonic()
        recent = [moment for moment in self._written.pop(namespace, []) if now - moment < 60]
        self._written[namespace] = recent
        while len(self._written) > _NAMESPACES:
            self._written.popitem(last=False)
        if now < self._paused_until or len(recent) >= PER_MINUTE:
            WRITTEN.labels("dropped").inc()
            return False
        recent.append(now)
        return True

    def _write_later(self, path: str, body: dict[str, Any]) -> None:
        try:
            self._waiting.put_nowait((path, body))
        except asyncio.QueueFull:
            WRITTEN.labels("dropped").inc()
            return
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        while True:
            path, body = await self._waiting.get()
            try:
                await self._write(path, body)
            finally:
                self._waiting.task_done()

    async def _write(self, path: str, body: dict[str, Any]) -> None:
        """Its name is the command's, so that a retry writes none. Where it fails none is tried for a minute."""
        if self._cluster is None or time.monotonic() < self._paused_until:
            return
        try:
            await self._cluster.create(path, body)
        except Changed:
            return
        except ModelswitchError as error:
            WRITTEN.labels("failed").inc()
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            logger().warning("Kubernetes Event not written", action="kubernetes-event", error=str(error)[:300])
        except Exception:  # noqa: BLE001 - no command, and no later Event, may fail for one
            WRITTEN.labels("failed").inc()
            logger().exception("Kubernetes Event not written", action="kubernetes-event")
        else:
            WRITTEN.labels("written").inc()


def _event(request: Request, outcome: Outcome) -> dict[str, Any]:
    ref, verb = request.ref, request.verb
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    named = f"{request.channel}\0{request.actor}\0{ref.subject}\0{request.source}\0{request.id}"
    how = "Refused" if outcome.code else "Accepted" if outcome.changed else "Unchanged"
    said = f"{verb} by {request.actor}"
    claimed = request.claimed_actor
    if claimed:
        said += f" (who says to be {claimed})"
    details = [f"{outcome.code}: {outcome.message or ''}" if outcome.code else outcome.message, request.command.reason]
    message = ". ".join([said, *(text for text in details if text), f"id {request.id}"])
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{ref.name[:200]}.{hashlib.sha256(named.encode(errors='replace')).hexdigest()[:16]}",
            "namespace": ref.namespace,
        },
        "involvedObject": {
            "apiVersion": _VERSIONS[ref.kind],
            "kind": ref.kind.value,
            "name": ref.name,
            "namespace": ref.namespace,
            "uid": outcome.uid,
        },
        "reason": f"{verb.capitalize()}{how}",
        "message": message.encode(errors="replace").decode()[:MOST_CHARACTERS],
        "type": "Warning" if outcome.code else "Normal",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
