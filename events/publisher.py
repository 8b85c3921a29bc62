"""Sending events to a sink (a Knative broker) from a pipeline step or the command line. Synchronous.

The contract with the sink is Knative's: K_SINK names it, K_CA_CERTS holds its certificates, K_CE_OVERRIDES adds
extensions, and where the sink wants an identity SinkBinding mounts a token at /oidc/token.
"""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Self

import httpx
from cloudevents.http import CloudEvent
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay, wait_exponential_jitter

from events.errors import ModelswitchError, PublishFailed
from events.wire import to_binary

OIDC_TOKEN = Path("/oidc/token")
DEADLINE_SECONDS = 30.0
ATTEMPT_SECONDS = 10.0
# Knative's delivery contract: these may work later, every other 4xx never will. A right may be granted, too.
_LATER = frozenset({404, 408, 409, 429})
_RIGHTS = frozenset({401, 403})


class _TryAgainError(ModelswitchError):
    """An attempt that may work later. `after`: seconds that the sink asked for, None where it did not."""

    def __init__(self, what: str, *, status: int | None = None, after: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.status = status
        self.after = after

    @property
    def is_open(self) -> bool:
        """Whether the sink may have the event: a broker holds its answer as long as its slowest subscriber takes."""
        return self.status is None or self.status >= 500 or self.status == 408


@dataclass(frozen=True)
class Publisher:
    """Sends one event at a time, the same bytes and so the same id at every attempt, until `deadline` seconds are over."""

    sink_url: str
    deadline: float = DEADLINE_SECONDS
    token_file: Path = OIDC_TOKEN
    ca_certificates: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    first_wait: float = 0.2

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, sink_url: str | None = None) -> Self:
        """As SinkBinding configures a container. PublishFailed: there is no sink, or K_CE_OVERRIDES is broken."""
        url = sink_url or environment.get("K_SINK")
        if not url:
            raise PublishFailed("no sink to publish to", "Set K_SINK to the broker's URL, or name it with --sink.")
        return cls(
            sink_url=url,
            ca_certificates=environment.get("K_CA_CERTS") or None,
            extensions=_overrides(environment.get("K_CE_OVERRIDES", "")),
        )

    def send(self, event: CloudEvent) -> None:
        """Return when the sink has taken the event. PublishFailed: it did not, and says what to do."""
        headers, body = to_binary(CloudEvent({**event.get_attributes(), **self.extensions}, event.data))
        ends = time.monotonic() + self.deadline
        retrying = Retrying(
            retry=retry_if_exception_type(_TryAgainError),
            wait=self._wait,
            stop=stop_before_delay(self.deadline),
            reraise=True,
        )
        may = False
        try:
            with self._client() as client:
                for attempt in retrying:
                    with attempt:
                        try:
                            self._attempt(client, headers, body, ends)
                        except _TryAgainError as error:
                            may = may or error.is_open
                            raise
        except _TryAgainError as error:
            what = f"{error.what} (tried for up to {self.deadline:g}s)"
            action = "Check that the broker is up and its URL right, then send the same id again: it counts once."
            raise self._failed(event, what, action, error.status, may_take_effect=may) from error
        except _RefusedError as error:
            raise self._failed(event, str(error), error.next_action, error.status, may_take_effect=may) from error

    def _attempt(self, client: httpx.Client, headers: Mapping[str, str], body: bytes, ends: float) -> None:
        left = max(0.1, min(ATTEMPT_SECONDS, ends - time.monotonic()))
        try:
            response = client.post(self.sink_url, headers={**headers, **self._identity()}, content=body, timeout=left)
        except httpx.InvalidURL as error:
            raise _RefusedError(f"the URL is not valid: {error}", "Correct the sink's URL.", None) from error
        except httpx.UnsupportedProtocol as error:
            raise _RefusedError(str(error), "Write the sink's URL with http:// or https://.", None) from error
        except httpx.TransportError as error:
            raise _TryAgainError(f"no answer: {error or type(error).__name__}") from error
        if response.is_success:
            return
        answer = f"{response.status_code} {response.reason_phrase}: {_short(response.text)}".rstrip(": ")
        if response.status_code >= 500 or response.status_code in _LATER:
            raise _TryAgainError(answer, status=response.status_code, after=retry_after(response.headers))
        raise _RefusedError(answer, _next_action(response.status_code), response.status_code)

    def _identity(self) -> dict[str, str]:
        """Read the token each time: Kubernetes renews the file."""
        try:
            token = self.token_file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise _RefusedError(
                f"the token in {self.token_file} can't be read: {error}", "Check the mount.", None
            ) from error
        return {"authorization": f"Bearer {token}"} if token else {}

    def _client(self) -> httpx.Client:
        """Redirects are not followed: the token is for this sink only."""
        try:
            return httpx.Client(verify=trust(self.ca_certificates))
        except ssl.SSLError as error:
            raise _RefusedError(f"K_CA_CERTS holds no certificates: {error}", "Correct or unset it.", None) from error

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.after if isinstance(error, _TryAgainError) else None
        backoff = wait_exponential_jitter(multiplier=self.first_wait, max=5, jitter=self.first_wait)
        return asked if asked is not None else backoff(state)

    def _failed(
        self, event: CloudEvent, what: str, next_action: str, status: int | None, *, may_take_effect: bool
    ) -> PublishFailed:
        message = f"{event['type']} {event['id']} to {self.sink_url}: {what}"
        return PublishFailed(message, next_action, status=status, may_take_effect=may_take_effect)


def later(status: int) -> bool:
    """Whether a sink that answers so may take the same event another time; a sender that can wait then keeps it."""
    return not 400 <= status < 500 or status in _LATER or status in _RIGHTS


@lru_cache(maxsize=4)
def trust(ca_certificates: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts these certificates. Raises ssl.SSLError where these are none.

    Kept: reading the system's certificates takes 0.1 s, and a sender of a thousand events has a client for each.
    """
    return ssl.create_default_context(cadata=ca_certificates) if ca_certificates else httpx.create_ssl_context()


class _RefusedError(ModelswitchError):
    """An answer that the same request will get again."""

    def __init__(self, what: str, next_action: str, status: int | None) -> None:
        super().__init__(what, next_action)
        self.status = status


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, in either of its forms (RFC 9110, 10.2.3); None where it says nothing usable."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _overrides(text: str) -> dict[str, str]:
    try:
        extensions = (json.loads(text) if text else {}).get("extensions") or {}
        return {str(name): str(value) for name, value in extensions.items()}
    except (ValueError, AttributeError) as error:
        raise PublishFailed(
            f"K_CE_OVERRIDES is {text[:200]!r}, expected a JSON object with `extensions`", "Correct or unset it."
        ) from error


def _next_action(status: int) -> str:
    if status in {401, 403}:
        return "Ask for the right to send: an EventPolicy of the broker must allow this identity."
    if 300 <= status < 400:
        return "Redirects are not followed: use the address that the sink itself has."
    return "Correct the event; docs/events.md has the contract."


def _short(text: str) -> str:
    return " ".join(text.split())[:300]
