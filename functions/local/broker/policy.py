"""How often and when a delivery is tried again: a Trigger's `delivery`, as knative/eventing pkg/kncloudevents/retries.go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from events.duration import parse_iso_duration

DEFAULT_RETRIES = 10
DEFAULT_BACKOFF_SECONDS = 0.2
DEFAULT_TIMEOUT_SECONDS = 30.0
RETRIED = frozenset({404, 408, 409, 429})


@dataclass(frozen=True)
class Policy:
    """Times in seconds; `retries` come on top of the first attempt; `retry_after_max` None: as long as was asked."""

    retries: int = DEFAULT_RETRIES
    backoff: Literal["exponential", "linear"] = "exponential"
    delay: float = DEFAULT_BACKOFF_SECONDS
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    retry_after_max: float | None = None

    def wait(self, failed: int, retry_after: float | None = None) -> float:
        """Seconds until the next attempt, after `failed` (1, 2, …) of them. Linear makes its first retry at once."""
        backoff = self.delay * (2 ** (failed - 1) if self.backoff == "exponential" else failed - 1)
        asked = retry_after or 0.0
        return max(backoff, asked if self.retry_after_max is None else min(asked, self.retry_after_max))


def is_retried(status: int | None) -> bool:
    """None: no answer at all. Every other status goes to the dead-letter sink at once."""
    return status is None or status >= 500 or status in RETRIED


def read_policy(delivery: Mapping[str, Any] | None) -> Policy:
    """From a `delivery` of a Trigger or Broker; None: Knative's defaults. Raises ValueError."""
    if not delivery:
        return Policy()
    backoff = delivery.get("backoffPolicy", "exponential")
    if backoff not in {"exponential", "linear"}:
        raise ValueError(f"backoffPolicy {backoff!r}; it is exponential or linear")
    retry_after_max = delivery.get("retryAfterMax")
    return Policy(
        retries=int(delivery.get("retry", 0)),
        backoff=backoff,
        delay=read_period(delivery.get("backoffDelay", "PT0.2S")),
        timeout=read_period(delivery.get("timeout", "PT30S")),
        retry_after_max=None if retry_after_max is None else read_period(retry_after_max),
    )


def read_period(text: str) -> float:
    """Seconds of an ISO 8601 duration of weeks and smaller, like PT0.2S."""
    seconds = parse_iso_duration(text)
    if seconds is None:
        raise ValueError(f"{text!r} is no ISO 8601 duration; write it like PT0.2S, PT1M or P1D")
    return seconds
