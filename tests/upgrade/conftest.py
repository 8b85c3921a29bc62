"""Redis, as another version left it."""

import sys
from pathlib import Path

import pytest
import redis.asyncio as redis

from functions.adapters.store import Store

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def store(redis_url):
    connected = Store.connect(redis_url)
    yield connected
    await connected.close()


@pytest.fixture
async def raw(redis_url):
    client = redis.from_url(redis_url, decode_responses=True)
    yield client
    await client.aclose()
