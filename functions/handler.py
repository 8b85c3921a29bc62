"""From an HTTP request to a step and back: what every function shares. A function's main.py only names its step.

Answers as Knative's brokers read them: 202 with an empty body; 400 for what can't be read and 422 for what can never
work go to the dead-letter sink at once; 503 with Retry-After is delivered again. No reply events: some brokers lose
a reply that fails.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from cloudevents.http import CloudEvent
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from events.errors import ContractError, EventCode, Impossible, ModelswitchError
from events.header_values import attribute_in
from events.wire import MAX_BODY_BYTES, open_event
from functions.adapters.delivery import NotConfigured, Unverified
from functions.composition import Parts
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import Action, AuditEntry, Handled
from functions.lifecycle.errors import Code, StepError, StoreUnavailable
from functions.logs import configure, logger
from functions.problem_document import response as problem
from functions.same_origin import SameOrigin
from functions.senders import actor_of, claim_in
from functions.serving import serve_within, without_control_socket
from functions.settings import Settings

without_control_socket()

EVENTS = Counter("modelswitch_events_total", "Events by function and outcome.", ["function", "outcome"])
REFUSED = Counter(
    "modelswitch_deliveries_refused_total", "Requests whose delivery was not verified.", ["function", "reason"]
)
SECONDS = Histogram("modelswitch_event_seconds", "Time to answer an event.", ["function"])

_ID_CHARACTERS = 200  # of an event that was perhaps never understood, in the log

Work = Callable[[Parts, Request, bytes], Awaitable[Handled | Code]]


@dataclass
class _Process:
    """The worker's parts, made at the first request: after the fork, inside the event loop that will use them."""

    parts: Parts | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, *, cluster_used: bool = True) -> Parts:
        async with self.lock:
            if self.parts is None:
                settings = _settings()
                configure(settings.log_format, settings.log_level)
                self.parts = await Parts.connect(settings, cluster_used=cluster_used)
            return self.parts

    async def close(self) -> None:
        if self.parts:
            await self.parts.close()
            logger().info("connections closed", action="function-ended")


def _of_this_site(app: ASGIApp) -> ASGIApp:
    """With AUTH=none (the laptop) what a page of another site asks for is refused, whatever its secret."""
    return SameOrigin(app) if _settings().auth == "none" else app


_PROCESS = _Process()
serve_within(_of_this_site, _PROCESS.close)


async def handle(
    name: str, request: Request, work: Work, *, direct: bool = False, cluster_used: bool = True, whole: bool = True
) -> Response:
    """Runs `work` on an event. It returns the outcome in a word, for counter and log; errors become their answers.

    Before anything of the event is read its delivery is verified; of a refused one nothing is left but a count.
    `direct`: senders may deliver without a broker; `request.state.user` is then the account that did, None where only a
    secret proves it. `cluster_used` False: this function runs where there is no cluster's token. `whole` False: of an
    event that is too large `work` gets the beginning. `request.state.size` is how many bytes it had.
    """
    if request.method in {"GET", "HEAD"}:
        return await _get(request, cluster_used=cluster_used)
    if request.method != "POST":
        return problem(405, Code.METHOD_NOT_ALLOWED, f"{request.method} is not for events", "POST a CloudEvent.")
    begun, body = time.monotonic(), b""
    outcome: Handled | Code | EventCode
    try:
        parts = await _PROCESS.get(cluster_used=cluster_used)
        given = request.query_params.getlist("delivery"), request.headers.get("authorization")
        request.state.user = (await parts.deliveries.verify(*given, direct=direct)).user
        body, request.state.size = await _body(request, whole=whole)
        outcome = await work(parts, request, body)
        response = Response(status_code=202, background=BackgroundTask(_flush, parts))
    except Unverified as error:
        REFUSED.labels(name, error.reason).inc()
        return _step_problem(error)
    except _TooLarge as error:
        outcome, response = Code.TOO_LARGE, problem(413, Code.TOO_LARGE, str(error), "Send a smaller event.")
    except ContractError as error:
        outcome, response = error.code, await _poison(name, request, body, error)
    except StepError as error:
        outcome, response = error.code, _step_problem(error)
    except ClientDisconnect:
        outcome, response = Handled.DISCONNECTED, Response(status_code=400)
    except Exception:  # noqa: BLE001 - the last word: no traceback in an answer, and the broker tries again
        logger().exception("failed", action=name)
        outcome = Code.INTERNAL_ERROR
        response = problem(
            500, outcome, "something unexpected happened", "Read this function's log; it is tried again."
        )
    seconds = time.monotonic() - begun
    EVENTS.labels(name, outcome).inc()
    SECONDS.labels(name).observe(seconds)
    log = logger().info if response.status_code < 300 else logger().warning
    log(
        outcome,
        action=name,
        status=response.status_code,
        event_id=attribute_in("id", request.headers.get("ce-id", ""))[:_ID_CHARACTERS],
        ms=round(seconds * 1000),
    )
    return response


async def _get(request: Request, *, cluster_used: bool) -> Response:
    if request.url.path == "/metrics":
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
    try:
        parts = await _PROCESS.get(cluster_used=cluster_used)
        if request.url.path == "/healthz" and not parts.deliveries.configured:
            raise NotConfigured
    except StepError as error:
        return _step_problem(error)
    return Response("ok", media_type="text/plain")


@cache
def _settings() -> Settings:
    return Settings()


class _TooLarge(ModelswitchError):
    """More than an event may be."""


async def _body(request: Request, *, whole: bool) -> tuple[bytes, int]:
    """At most 1 MiB, whatever the sender says of its length; and how many bytes there were."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
        size += len(chunk)
        if whole and size > MAX_BODY_BYTES:
            raise _TooLarge(f"the event is larger than {MAX_BODY_BYTES} bytes")
    return b"".join(chunks)[:MAX_BODY_BYTES], size


async def _flush(parts: Parts) -> None:
    try:
        await parts.sink.flush()
    except StoreUnavailable as error:
        logger().warning("outbox not flushed; the tick will", action="publish", error=error.message)


async def _poison(name: str, request: Request, body: bytes, error: ContractError) -> Response:
    """What can never work is written down, because some brokers drop it without a trace; with its data where it is an event."""
    event = _readable(request, body)
    if event or isinstance(error, Impossible):
        attributes = event.get_attributes() if event else {}
        letter = DeadLetter.of(attributes, event.data) if event else None
        entry = AuditEntry(
            time=datetime.now(UTC),
            ref=letter.ref if letter else None,
            action=Action.POISON,
            actor=actor_of(str(attributes.get("source", "unknown"))),
            claimed_actor=claim_in(event.data if event else None),
            code=error.code,
            message=f"{name}: {error.message}",
            source=attributes.get("source"),
            event_id=attributes.get("id"),
            correlation_id=str(attributes.get("correlationid") or attributes.get("id") or "") or None,
        )
        parts = await _PROCESS.get()
        try:
            await parts.store.write_audit(entry, letter)
        except StoreUnavailable as away:
            return _step_problem(away)
    return problem(error.status, error.code, error.message, error.next_action)


def _readable(request: Request, body: bytes) -> CloudEvent | None:
    try:
        return open_event(request.headers, body)
    except ContractError:
        return None


def _step_problem(error: StepError) -> Response:
    return problem(error.status, error.code, error.message, error.next_action, retry_after=error.retry_after)
