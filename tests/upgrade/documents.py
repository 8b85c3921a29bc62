"""What versions wrote into Redis (fixtures/), and Redis as such a version left it."""

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"
BEFORE = FIXTURES / "unnumbered"
"""Version 0.1.0 before its documents had a schema number: a run of stops, starts, reloads, dead letters and an outbox.
"""


def lines(kind: str, version: Path = BEFORE) -> list[str]:
    return (version / f"{kind}.jsonl").read_text().splitlines()


async def restore(raw, version: Path = BEFORE) -> None:
    """Every key as that version left it."""
    for one in json.loads((version / "redis.json").read_text()):
        key, value = one["key"], one["value"]
        match one["type"]:
            case "hash":
                await raw.hset(key, mapping=value)
            case "zset":
                await raw.zadd(key, dict(value))
            case "string":
                await raw.set(key, value)
            case "stream":
                for entry, fields in value:
                    await raw.xadd(key, fields, id=entry)


def with_unknown_fields(value: Any) -> Any:
    """The same document as a later version may write it: a field more in every object that stands for one of ours."""
    if isinstance(value, dict):
        inner = {key: with_unknown_fields(one) for key, one in value.items()}
        texts_only = value and all(isinstance(one, str) for one in value.values()) and not {"name", "kind"} & set(value)
        maps = all(isinstance(one, dict) for one in value.values()) and value
        return inner if texts_only or maps else {**inner, "added_later": {"deep": [1, {"er": None}]}}
    if isinstance(value, list):
        return [with_unknown_fields(one) for one in value]
    return value
