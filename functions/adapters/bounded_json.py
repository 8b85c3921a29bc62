"""JSON from outside, read within bounds: at most 200 levels deep, numbers of at most 4,300 digits, valid Unicode."""

from typing import Any

from pydantic_core import from_json


def parse_json(text: bytes | str) -> Any:
    """Raises ValueError for whatever it can't read, and nothing else."""
    try:
        return from_json(text)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
