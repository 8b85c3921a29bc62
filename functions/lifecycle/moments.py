"""Moments that others wrote: with a zone, and far enough from the ends of the calendar to compute with."""

from datetime import UTC, datetime

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
EXPECTED = "a date and time from 1970 to 9999 with its zone, such as 2026-01-01T00:00:00Z"


def in_bounds(moment: datetime) -> datetime:
    """In UTC. ValueError says what is expected."""
    try:
        bounded = moment.astimezone(UTC) if moment.tzinfo else None
    except OverflowError:
        bounded = None
    if bounded is None or bounded < _EARLIEST:
        raise ValueError(EXPECTED)
    return bounded
