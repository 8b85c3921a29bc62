"""Time as Kubernetes writes it: UTC, whole seconds."""

from datetime import UTC, datetime, timedelta

FORM = "%Y-%m-%dT%H:%M:%SZ"
LONGEST = 100 * 365 * 24 * 3600
"""Seconds. A pod's grace has no bound in Kubernetes, but the calendar has one."""


def now() -> str:
    return datetime.now(UTC).strftime(FORM)


def after(seconds: float) -> str:
    """The time that many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=min(seconds, LONGEST))).strftime(FORM)


def parse(text: str) -> datetime:
    return datetime.strptime(text, FORM).replace(tzinfo=UTC)


def shift(text: str, seconds: float) -> str:
    return (parse(text) + timedelta(seconds=max(-LONGEST, min(seconds, LONGEST)))).strftime(FORM)


def age(text: str) -> float:
    """Seconds since then."""
    return (datetime.now(UTC) - parse(text)).total_seconds()
