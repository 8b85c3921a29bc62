"""Fixtures that several test files of this folder share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# --- the API -------------------------------------------------------------------------------------------------------

from api_rig import world as api_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    with api_world(tmp_path_factory.mktemp("api")) as made:
        yield made


@pytest.fixture(scope="session")
def open_api(world):
    """AUTH=none."""
    with world.api(AUTH="none") as client:
        yield client


@pytest.fixture(scope="session")
def token_api(world):
    """AUTH=token."""
    with world.api(AUTH="token") as client:
        yield client
