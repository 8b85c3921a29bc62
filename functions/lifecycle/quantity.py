"""Kubernetes quantities: what pods ask for, added up and written as people read it."""

import re
from decimal import Decimal

_QUANTITY = re.compile(r"^([0-9.]+(?:[eE][-+]?[0-9]+)?)(m|k|K|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")
_FACTOR = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    "K": Decimal(1000),
    "M": Decimal(1000**2),
    "G": Decimal(1000**3),
    "T": Decimal(1000**4),
    "P": Decimal(1000**5),
    "Ki": Decimal(1024),
    "Mi": Decimal(1024**2),
    "Gi": Decimal(1024**3),
    "Ti": Decimal(1024**4),
    "Pi": Decimal(1024**5),
}


def parse_quantity(text: str | float | None) -> Decimal:
    """The number behind `8Gi` or `500m`, in bytes, cores or pieces. ValueError for anything else; None is 0."""
    if text is None:
        return Decimal(0)
    match = _QUANTITY.match(str(text))
    if not match:
        raise ValueError(f"{text!r} is no Kubernetes quantity; expected a number with a suffix such as 500m or 8Gi")
    return Decimal(match[1]) * _FACTOR[match[2]]


def format_memory(size: Decimal | int) -> str:
    """Bytes as a quantity in Gi, or Mi below one Gi; never rounded to nothing."""
    gib = Decimal(size) / 1024**3
    if gib == 0 or gib >= 1:
        return f"{gib.quantize(Decimal('0.01')).normalize():f}Gi"
    return f"{(Decimal(size) / 1024**2).quantize(Decimal('0.01')).normalize():f}Mi"


def format_quantity(value: Decimal) -> str:
    return f"{value.normalize():f}"
