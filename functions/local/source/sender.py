"""Events to the sink. Like Knative's sources: a few tries, then the event is lost and that is said; it was only a notification."""

from typing import Self

import aiohttp
import structlog
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_exponential

from functions.local.broker.message import Event, binary_headers

TRIES = 6
FIRST_WAIT_SECONDS = 0.05
SEND_SECONDS = 10.0
log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class _NotTaken(Exception):
    """The sink is away or says no."""


class Sender:
    """An async context manager around one HTTP session. `send` never raises."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._lost = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SEND_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, event: Event) -> bool:
        """True: the sink has it. Says once that events are lost, and once how many when that is over."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(FIRST_WAIT_SECONDS),
            retry=retry_if_exception_type(_NotTaken),
        )
        try:
            await retrying(self._post, event)
        except RetryError as error:
            if not self._lost:
                reason = str(error.last_attempt.exception())
                log.warning(
                    "events are lost, the next tick looks anyway", action="send", sink=self._sink, reason=reason
                )
            self._lost += 1
            return False
        if self._lost:
            log.info("the sink takes events again", action="send", lost=self._lost)
            self._lost = 0
        return True

    async def _post(self, event: Event) -> None:
        try:
            async with self._session.post(self._sink, data=event.data, headers=binary_headers(event)) as answer:
                if not 200 <= answer.status < 300:
                    raise _NotTaken(f"{answer.status} {await answer.text()}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _NotTaken(str(error) or type(error).__name__) from error
