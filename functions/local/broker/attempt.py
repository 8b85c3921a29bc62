"""One delivery over HTTP: the event out in binary mode, and what the answer means."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp

from functions.local.broker.message import Event, Malformed, binary_headers, is_event, parse
from functions.local.broker.policy import is_retried

ERROR_DATA_CHARACTERS = 1024
"""knative/eventing pkg/kncloudevents/attributes: the longest knativeerrordata."""


@dataclass(frozen=True)
class Delivered:
    """The subscriber took it; `reply` goes back to the broker."""

    reply: Event | None = None


@dataclass(frozen=True)
class Failed:
    """`status` None: no answer. `retried` False: the dead-letter sink is next. `retry_after` in seconds."""

    reason: str
    retried: bool
    status: int | None = None
    body: bytes = b""
    retry_after: float | None = None

    def extensions(self, destination: str) -> dict[str, str]:
        """What Knative tells the dead-letter sink; the code of no answer is 500, as there."""
        body = self.body or self.reason.encode()
        return {
            "knativeerrordest": destination.partition("?")[0],  # without the delivery secret
            "knativeerrorcode": str(self.status or 500),
            "knativeerrordata": base64.b64encode(body).decode()[:ERROR_DATA_CHARACTERS],
        }


async def attempt(session: aiohttp.ClientSession, url: str, event: Event, seconds: float) -> Delivered | Failed:
    """POST `event` to `url`. A redirect is a failure, as in Knative."""
    headers = {**binary_headers(event), "prefer": "reply"}
    timeout = aiohttp.ClientTimeout(total=seconds)
    skip = ("content-type",) if event.content_type is None else ()
    try:
        async with session.post(
            url, data=event.data, headers=headers, timeout=timeout, allow_redirects=False, skip_auto_headers=skip
        ) as answer:
            body = await answer.read()
            return _judge(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)
    except TimeoutError:
        return Failed(f"no answer within {seconds:g} s", retried=True)
    except (aiohttp.ClientError, OSError) as error:
        return Failed(f"no answer ({error or type(error).__name__})", retried=True)


def _judge(status: int, headers: Mapping[str, str], body: bytes) -> Delivered | Failed:
    if not 200 <= status < 300:
        after = _retry_after(headers.get("retry-after")) if status in {429, 503} else None
        return Failed(f"answered {status}", is_retried(status), status, body, after)
    if is_event(headers):
        try:
            return Delivered(parse(headers, body))
        except Malformed as error:
            return Failed(f"answered {status} with a malformed event: {error}", retried=True, status=status, body=body)
    if body:
        reason = f"answered {status} with a body that is no CloudEvent; answer 202 without a body, or with one event"
        return Failed(reason, retried=True, status=status, body=body)
    return Delivered()


def _retry_after(text: str | None) -> float | None:
    """Seconds, from either form that RFC 9110 allows."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time())
