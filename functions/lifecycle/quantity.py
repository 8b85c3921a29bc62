"""Amounts as people read them. Kubernetes' own quantities are read in functions/adapters/quantities.py."""

from decimal import Decimal

_UNITS = {"Gi": 1024**3, "Mi": 1024**2}


def format_memory(size: Decimal | int) -> str:
    """Bytes as a quantity in Gi, or Mi below one Gi; never rounded to nothing."""
    gib = Decimal(size) / 1024**3
    if gib == 0 or gib >= 1:
        return f"{gib.quantize(Decimal('0.01')).normalize():f}Gi"
    return f"{(Decimal(size) / 1024**2).quantize(Decimal('0.01')).normalize():f}Mi"


def format_quantity(value: Decimal) -> str:
    return f"{value.normalize():f}"


def memory_in_bytes(text: str) -> int:
    """What format_memory wrote, in bytes. ValueError for anything else."""
    number, unit = text[:-2], text[-2:]
    if unit not in _UNITS or not number.replace(".", "", 1).isdecimal() or not number.isascii():
        raise ValueError(f"{text[:40]!r} is not an amount of memory as format_memory writes it, such as 16Gi")
    return int(Decimal(number) * _UNITS[unit])
