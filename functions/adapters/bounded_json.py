"""JSON from outside, read within bounds.

`parse_json` reads what one sender wrote, or refuses it. `loads` reads lists of the API server as far as they are of
use: one tenant's object must not make a list of all tenants' objects unreadable.

Where KServe's schemas keep unknown fields (an LLMInferenceService's LoRA adapters, an InferenceService's status), an
object may be nested 10,000 deep or hold a number of 5,000 digits. Python reads neither. What is deeper than any field
of ours is left out, and such a number is read as text; both only where the plain reading fails, since it costs a pass
over all of it.
"""

import json
import re
from typing import Any

from pydantic_core import from_json

DEEPEST = 64
_LONGEST_NUMBER = 400
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def parse_json(text: bytes | str) -> Any:
    """At most 200 levels deep, numbers of at most 4,300 digits, valid Unicode.

    Raises ValueError for whatever it can't read, and nothing else.
    """
    try:
        return from_json(text)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error


def loads(text: bytes) -> Any:
    """As json.loads. ValueError: it is not JSON at all."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _loads_bounded(text)


def _loads_bounded(text: bytes) -> Any:
    try:
        return json.loads(_without_the_deep(text), parse_int=_number)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits[:_LONGEST_NUMBER]


def _without_the_deep(text: bytes) -> bytes:
    """With null for every object and list that is deeper than DEEPEST."""
    kept: list[bytes] = []
    depth = begun = 0
    for mark in _MARKS.finditer(text):
        match mark[0]:
            case b"[" | b"{":
                depth += 1
                if depth == DEEPEST + 1:
                    kept.append(text[begun : mark.start()])
            case b"]" | b"}":
                if depth == DEEPEST + 1:
                    kept.append(b"null")
                    begun = mark.end()
                depth -= 1
            case _:
                continue
    kept.append(text[begun:])
    return b"".join(kept)
