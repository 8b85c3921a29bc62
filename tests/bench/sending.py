"""Posting stop events, as a broker does."""

import itertools
import json
import uuid

import aiohttp

_RUN = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)
BODY = json.dumps({"graceful": True, "reason": "bench", "actor": "bench"})


def stop_event(namespace: str, name: str) -> dict[str, str]:
    """Headers of a new event in binary mode."""
    return {
        "ce-specversion": "1.0",
        "ce-id": f"{_RUN}-{next(_numbers)}",
        "ce-source": "/bench",
        "ce-type": "dev.modelswitch.model.stop-requested.v1",
        "ce-subject": f"namespaces/{namespace}/inferenceservices/{name}",
        "content-type": "application/json",
    }


async def post(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
    async with session.post(url, data=BODY, headers=headers) as answer:
        text = await answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{answer.status}: {text[:500]!r}")
