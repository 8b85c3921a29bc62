"""Facts on their way to the broker: from the outbox to K_SINK, with a short timeout.

A broker may hold a POST as long as its slowest trigger takes; whatever is not sent in time waits for the next tick.
A fact's id never changes, so sending it twice is the same event.
"""

from datetime import datetime
from pathlib import Path

import aiohttp
from cloudevents.http import CloudEvent

from events.envelope import build
from events.wire import to_binary
from functions.adapters.signature import Signer
from functions.adapters.store import Store, Waiting

SOURCE = "/modelswitch"
SEND_SECONDS = 2.0
BATCH = 100
OIDC_TOKEN = Path("/oidc/token")


class Sink:
    """`url` None: facts stay in the outbox's stream no longer than needed to drop them."""

    def __init__(self, url: str | None, store: Store, signer: Signer) -> None:
        self._url = url
        self._store = store
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None
        self._wanted = self._flushing = False

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def flush(self, until: datetime | None = None) -> int:
        """Sends what waits, oldest first; stops at the first failure. Returns how many were sent.

        One at a time: side by side, each would send the same facts again. Who comes meanwhile has the one at work look
        once more, and returns at once.
        """
        self._wanted = True
        if self._flushing:
            return 0
        self._flushing = True
        sent = 0
        try:
            while self._wanted:
                self._wanted = False
                batch = await self._send_waiting(until)
                sent += batch
                self._wanted = self._wanted or batch == BATCH
        finally:
            self._flushing = False
        return sent

    async def _send_waiting(self, until: datetime | None) -> int:
        done: list[str] = []
        try:
            for waiting in await self._store.waiting(BATCH):
                if until and datetime.now(until.tzinfo) > until:
                    break
                if self._url and not await self._send(self._url, waiting):
                    break
                done.append(waiting.entry)
        finally:
            await self._store.published(done)
        return len(done)

    async def _send(self, url: str, waiting: Waiting) -> bool:
        published = waiting.published
        event = build(
            published.fact,
            published.ref,
            source=SOURCE,
            id=published.id,
            correlation_id=published.correlation_id,
            traceparent=published.traceparent,
            time=published.time,
        )
        if published.on_behalf_of:
            event = self._signer.signed(event, published.on_behalf_of)
        status = await self._post(url, event)
        return status is not None and status < 300

    async def send_now(self, event: CloudEvent, *, on_behalf_of: str) -> int | None:
        """Signed, for the verified user `on_behalf_of`. Not through the outbox, where an event that the broker refuses would hold up what is behind it.

        The broker's status; None where it did not answer in time, or where there is none (`has_broker`).
        """
        return await self._post(self._url, self._signer.signed(event, on_behalf_of)) if self._url else None

    @property
    def has_broker(self) -> bool:
        return self._url is not None

    async def _post(self, url: str, event: CloudEvent) -> int | None:
        headers, body = to_binary(event)
        headers.update(_authorization())
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SEND_SECONDS))
        try:
            async with self._session.post(url, data=body, headers=headers) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return None


def _authorization() -> dict[str, str]:
    """Knative mounts a short-lived token where the broker asks who sends; read anew, since it is renewed in place."""
    return {"Authorization": f"Bearer {OIDC_TOKEN.read_text().strip()}"} if OIDC_TOKEN.exists() else {}
