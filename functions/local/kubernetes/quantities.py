"""Kubernetes quantities ("500m", "8Mi", "2") as exact numbers and back."""

from decimal import ROUND_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


@lru_cache(maxsize=4096)
def _parse(text: str) -> Decimal:
    for suffix, factor in BINARY.items():
        if text.endswith(suffix):
            return Decimal(text[: -len(suffix)]) * factor
    last = text[-1:] if text[-1:] in DECIMAL and not text[-1:].isdigit() else ""
    number = text[: len(text) - len(last)]
    return Decimal(number).scaleb(DECIMAL[last])


def parse(value: Any) -> Decimal:
    """Cores, bytes or pieces; raises ValueError with the offending text."""
    try:
        return _parse(str(value).strip())
    except InvalidOperation as error:
        message = f"got the quantity {value!r}, expected a number with an optional unit such as 500m, 8Mi or 2"
        raise ValueError(message) from error


def show(amount: Decimal, *, binary: bool = False) -> str:
    """The shortest exact form, as the API server writes it: 24Mi, 1500m, 3."""
    if amount == 0:
        return "0"
    if binary and amount == amount.to_integral_value():
        for suffix, factor in reversed(BINARY.items()):
            if amount % factor == 0:
                return f"{int(amount // factor)}{suffix}"
    if amount == amount.to_integral_value():
        return str(int(amount))
    return f"{int(amount.scaleb(3).to_integral_value(rounding=ROUND_UP))}m"


def is_binary(resource: str) -> bool:
    """Memory and storage are written in powers of two."""
    return resource.endswith(("memory", "storage"))
