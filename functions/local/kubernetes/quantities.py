"""Kubernetes quantities ("500m", "8Mi", "2") as exact numbers and back."""

import re
from decimal import ROUND_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


LONGEST = 64
LARGEST = Decimal(2**63 - 1)
FINEST = Decimal("1e-9")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?", re.ASCII)


@lru_cache(maxsize=4096)
def _parse(text: str) -> Decimal:
    suffix = next((one for one in BINARY if text.endswith(one)), "")
    if not suffix and text[-1:] in DECIMAL and not text[-1:].isdigit():
        suffix = text[-1:]
    number = text.removesuffix(suffix)
    if len(text) > LONGEST or not _NUMBER.fullmatch(number):
        raise InvalidOperation
    return _bounded(Decimal(number) * BINARY[suffix] if suffix in BINARY else Decimal(number).scaleb(DECIMAL[suffix]))


def _bounded(amount: Decimal) -> Decimal:
    """Capped, and rounded up, as the real one does; by the exponent first, since 1e999999999 has a billion digits."""
    if (amount and amount.adjusted() > LARGEST.adjusted()) or abs(amount) > LARGEST:
        return LARGEST.copy_sign(amount)
    return FINEST.copy_sign(amount) if amount and amount.adjusted() < FINEST.adjusted() else amount


def parse(value: Any) -> Decimal:
    """Cores, bytes or pieces; raises ValueError with the offending text."""
    try:
        return _parse(str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else "")
    except (ArithmeticError, ValueError) as error:
        shown = repr(value)[:60] if isinstance(value, str) else f"a {type(value).__name__}"
        message = f"got the quantity {shown}, expected a number with an optional unit such as 500m, 8Mi or 2"
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
