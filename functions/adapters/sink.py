"""Events on their way to the broker: from the outbox to K_SINK, with a short timeout.

A broker may hold a POST as long as its slowest trigger takes; whatever is not sent in time waits for the next tick.
An event's id never changes, so sending it twice is the same event. One process at a time sends, and each event once
unless its answer was lost.
"""

import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from cloudevents.http import CloudEvent

from events.envelope import DEFAULT_EXPIRY, build_known
from events.publisher import later, trust
from events.wire import to_binary
from functions.adapters.outbox import Outbox, Waiting, new_token
from functions.adapters.signature import Signer
from functions.adapters.store import Store
from functions.lifecycle.errors import StoreUnavailable
from functions.logs import logger

SOURCE = "/modelswitch"
SEND_SECONDS = 2.0
FLUSH_SECONDS = 10.0
PAGE = 10
OIDC_TOKEN = Path("/oidc/token")
_LANES_AT_ONCE = 8
_PAGE_SECONDS = 2.0
_RENEW_SECONDS = 1.0
_SILENT_LANES = 3  # without any answer: then the broker is away, not one lane's trouble
_MOST_ATTEMPTS = 100
_MOST_AGE = timedelta(days=1)


@dataclass
class _Flush:
    """What one process sends under its lease. `held`: lanes that go on with the next flush."""

    token: str
    ends: float
    held: set[str] = field(default_factory=set)
    sent: int = 0
    silent: int = 0
    renewed: float = field(default_factory=time.monotonic)
    lost: bool = False

    @property
    def over(self) -> bool:
        return self.lost or self.silent >= _SILENT_LANES or time.monotonic() > self.ends


class Sink:
    """`url` None: events are dropped. `ca_certificates` (PEM): what the broker's certificate is checked against."""

    def __init__(self, url: str | None, store: Store, signer: Signer, ca_certificates: str | None = None) -> None:
        self._url = url
        self._outbox: Outbox = store.outbox
        self._signer = signer
        self._ca_certificates = ca_certificates
        self._session: aiohttp.ClientSession | None = None
        self._wanted = self._flushing = False

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def flush(self, until: datetime | None = None) -> int:
        """Sends what waits, each lane's oldest first, for 10 s at most. Returns how many were sent.

        Only one process at a time: side by side, each would send the same events again. Another one that comes then has
        the one at work look once more, and returns at once. Raises StoreUnavailable.
        """
        self._wanted = True
        if self._flushing:
            return 0
        self._flushing = True
        try:
            seconds = (until - datetime.now(UTC)).total_seconds() if until else FLUSH_SECONDS
            flush = _Flush(new_token(), time.monotonic() + min(seconds, FLUSH_SECONDS))
            if await self._outbox.take_lease(flush.token):
                await self._send_under_lease(flush)
            return flush.sent
        finally:
            self._flushing = self._wanted = False

    async def _send_under_lease(self, flush: _Flush) -> None:
        try:
            again = True
            while again and not flush.over:
                self._wanted = False
                await self._send_all(flush)
                again = await self._outbox.end_lease(flush.token) or self._wanted
                if again:
                    flush.lost = not await self._outbox.take_lease(flush.token)
        finally:
            with suppress(StoreUnavailable):
                if await self._outbox.end_lease(flush.token):
                    await self._outbox.end_lease(flush.token)

    async def _send_all(self, flush: _Flush) -> None:
        gate = asyncio.Semaphore(_LANES_AT_ONCE)

        async def serve(lane: str) -> None:
            async with gate:
                if not flush.over:
                    await self._send_page(flush, lane)

        while not flush.over:
            lanes = [lane for lane in await self._outbox.lanes() if lane not in flush.held]
            if not lanes:
                return
            await asyncio.gather(*(serve(lane) for lane in lanes))

    async def _send_page(self, flush: _Flush, lane: str) -> None:
        """Some of one lane, in order; its first failure leaves the rest for the next flush."""
        done: list[str] = []
        ends = time.monotonic() + _PAGE_SECONDS
        if time.monotonic() - flush.renewed > _RENEW_SECONDS:
            flush.renewed = time.monotonic()
            flush.lost = not await self._outbox.take_lease(flush.token)
        try:
            for waiting in await self._outbox.waiting(lane, PAGE):
                if flush.over or time.monotonic() > ends:
                    break
                if not await self._is_done(flush, waiting):
                    flush.held.add(lane)
                    break
                done.append(waiting.entry)
        finally:
            flush.sent += len(done)
            await self._outbox.sent(lane, done)

    async def _is_done(self, flush: _Flush, waiting: Waiting) -> bool:
        """False: it may work later. What never will is set aside, which is done too."""
        if self._url is None:
            return True
        try:
            status = await self._post(self._url, self._event(waiting))
        except Exception as error:  # noqa: BLE001 - whatever it is, one event must not hold up the others
            logger().exception("event can't be sent", action="publish-failed", entry=waiting.entry)
            await self._set_aside(waiting, f"it can't be sent: {type(error).__name__}")
            return True
        if status is None:
            flush.silent += 1
        else:
            flush.silent = 0
        if status is not None and status < 300:
            return True
        old = waiting.attempts > _MOST_ATTEMPTS and datetime.now(UTC) - waiting.since > _MOST_AGE
        if status is not None and (not later(status) or old):
            await self._set_aside(waiting, f"the broker answered {status}")
            return True
        await self._outbox.failed(waiting.lane, waiting.entry)
        return False

    def _event(self, waiting: Waiting) -> CloudEvent:
        event, for_whom = _event(waiting), waiting.event.on_behalf_of
        return self._signer.signed(event, for_whom) if for_whom else event

    async def _set_aside(self, waiting: Waiting, why: str) -> None:
        logger().warning(
            "event set aside",
            action="publish-failed",
            model=waiting.event.ref.subject,
            type=waiting.event.type,
            event_id=waiting.event.id,
            why=why,
            attempts=waiting.attempts + 1,
        )
        await self._outbox.set_aside(waiting.lane, waiting.entry, why, waiting.event)

    async def send_now(self, event: CloudEvent, *, on_behalf_of: str) -> int | None:
        """Signed, for the verified user `on_behalf_of`. Not through the outbox: who asked waits for the answer.

        The broker's status; None where it did not answer in time, or where there is none (`has_broker`).
        """
        return await self._post(self._url, self._signer.signed(event, on_behalf_of)) if self._url else None

    @property
    def has_broker(self) -> bool:
        return self._url is not None

    async def _post(self, url: str, event: CloudEvent) -> int | None:
        headers, body = to_binary(event)
        headers.update(_authorization())
        try:
            async with self._connected().post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def _connected(self) -> aiohttp.ClientSession:
        """Raises OSError (ssl.SSLError) where K_CA_CERTS holds no certificates."""
        if self._session is None:
            trusted: ssl.SSLContext | bool = trust(self._ca_certificates) if self._ca_certificates else True
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=SEND_SECONDS), connector=aiohttp.TCPConnector(ssl=trusted)
            )
        return self._session


def _event(waiting: Waiting) -> CloudEvent:
    event = waiting.event
    return build_known(
        event.type,
        event.data,
        event.ref,
        source=SOURCE,
        id=event.id,
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
        expires_in=DEFAULT_EXPIRY if event.is_command else None,
        time=event.time,
    )


def _authorization() -> dict[str, str]:
    """Knative mounts a short-lived token where the broker asks who sends; read each time, since it
    is renewed in place.
    """
    return {"Authorization": f"Bearer {OIDC_TOKEN.read_text().strip()}"} if OIDC_TOKEN.exists() else {}
