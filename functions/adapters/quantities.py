"""Kubernetes quantities (`500m`, `8Gi`, `1E`) as numbers, by the official client's parser and within Kubernetes' own
bounds.
"""

from decimal import ROUND_UP, Context, Decimal

from kubernetes.utils.quantity import parse_quantity as parse_by_client

LARGEST = Decimal(2**63 - 1)
"""Kubernetes caps what is larger, and rounds up what is finer than a billionth (apimachinery's resource.Quantity)."""
_FINEST = Decimal("1e-9")
_LONGEST = 64
_EXACT = Context(prec=40)


def parse_quantity(value: object) -> Decimal:
    """Bytes, cores or pieces, from -(2^63-1) to 2^63-1. None is 0.

    Raises:
        ValueError: it is no quantity. What Python's Decimal accepts beyond Kubernetes (NaN, Infinity, `1_000`) is none.

    """
    if value is None:
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise _no_quantity(value)
    if isinstance(value, int):
        return _bounded(Decimal(max(-(2**63), min(value, 2**63))))
    # A float by its shortest text: Decimal(0.1) has 55 digits.
    return _parse(repr(value) if isinstance(value, float) else str(value), value)


def _parse(text: str, value: object) -> Decimal:
    if not text.isascii() or len(text) > _LONGEST or any(sign in text for sign in "_ \t\r\n"):
        raise _no_quantity(value)
    try:
        number: Decimal = parse_by_client(text)
    except (ValueError, ArithmeticError) as error:
        raise _no_quantity(value) from error
    if not number.is_finite():
        raise _no_quantity(value)
    return _bounded(number)


def _bounded(number: Decimal) -> Decimal:
    """Compared by its exponent first: 1e999999999 has a billion digits, and no arithmetic must ever write them out."""
    if not number:
        return Decimal(0)
    if number.adjusted() > LARGEST.adjusted() or abs(number) > LARGEST:
        return LARGEST.copy_sign(number)
    if number.adjusted() < _FINEST.adjusted():
        return _FINEST.copy_sign(number)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _FINEST.adjusted():
        return number.quantize(_FINEST, rounding=ROUND_UP, context=_EXACT)
    return number


def _no_quantity(value: object) -> ValueError:
    shown = repr(value[:40]) if isinstance(value, str) else f"a {type(value).__name__}"
    return ValueError(f"{shown} is not a Kubernetes quantity; expected a number with a suffix such as 500m or 8Gi")
