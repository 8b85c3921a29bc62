"""Moments, lengths and amounts as people say them."""

from datetime import UTC, datetime
from decimal import Decimal

from functions.lifecycle.quantity import format_memory

_STEPS = (("day", 86_400), ("hour", 3600), ("minute", 60))


def age(moment: datetime | None) -> str:
    """In the one unit that people would use: `3 minutes`. JavaScript keeps it current."""
    if moment is None:
        return "unknown"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for name, length in _STEPS:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "just now"


def utc(moment: datetime | None) -> str:
    """Where there is no JavaScript to say it in the user's own zone."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else "unknown"


def iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def duration(seconds: float | None) -> str:
    """`0.8 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole, 60, 1, "min", "s")
    if whole < 86_400:
        return _two(whole, 3600, 60, "h", "min")
    return _two(whole, 86_400, 3600, "d", "h")


def _two(whole: int, big: int, small: int, large_name: str, small_name: str) -> str:
    large, rest = divmod(whole, big)
    few = rest // small
    return f"{large} {large_name} {few} {small_name}" if few else f"{large} {large_name}"


def memory(size: int) -> str:
    """Bytes as `8 GiB`; nothing is `0`."""
    return units(format_memory(Decimal(size)))


def units(quantity: str) -> str:
    """`8Gi`, as Kubernetes writes it, as `8 GiB`."""
    return "0" if quantity == "0Gi" else quantity.replace("Gi", " GiB").replace("Mi", " MiB")


def sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


def gpus(count: int, exact: bool) -> str:
    """`2 GPUs`, `at least 2 GPUs`, or that their number is unknown."""
    if exact:
        return plural(count, "GPU")
    return f"at least {plural(count, 'GPU')}" if count else "an unknown number of GPUs"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 pod`, `2 pods`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
