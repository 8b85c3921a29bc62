"""Which versions of KServe's resources are used: those that are served now."""

import time

import pytest
from aiohttp import web

from events.model import Kind
from functions.adapters.kserve.resources import VERSIONS_KEPT_SECONDS, Resources
from functions.lifecycle.errors import ClusterUnavailable

LLM = Kind.LLM_INFERENCE_SERVICE


class Clock:
    def __init__(self):
        self.now = time.monotonic()

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def resources(cluster, clock):
    return Resources(cluster, clock)


def served(api_server, *versions):
    api_server.answers = lambda _: web.json_response({"versions": [{"version": version} for version in versions]})


async def test_an_upgrade_of_kserve_is_noticed_within_a_minute(api_server, resources, clock):
    served(api_server, "v1alpha1", "v1beta1")
    assert "v1alpha1" in await resources.collection(LLM, "ml")
    assert not await resources.llm_can_stop()
    assert len(api_server.asked) == 1
    served(api_server, "v1alpha1", "v1alpha2", "v1beta1")
    clock.now += VERSIONS_KEPT_SECONDS
    assert "v1alpha2" in await resources.collection(LLM, "ml")
    assert await resources.llm_can_stop()
    assert len(api_server.asked) == 2


async def test_what_is_installed_later_is_noticed_and_nothing_is_asked_with_every_request(api_server, resources, clock):
    api_server.answers = lambda _: web.Response(status=404)
    for _ in range(5):
        assert not await resources.llm_can_stop()
    assert len(api_server.asked) == 1
    served(api_server, "v1alpha2")
    clock.now += VERSIONS_KEPT_SECONDS
    assert await resources.llm_can_stop()


async def test_while_the_api_server_is_away_what_it_said_before_counts(api_server, resources, clock):
    api_server.answers = lambda _: web.Response(status=503)
    with pytest.raises(ClusterUnavailable):
        await resources.llm_can_stop()
    served(api_server, "v1alpha2")
    assert await resources.llm_can_stop()
    api_server.answers = lambda _: web.Response(status=503)
    clock.now += VERSIONS_KEPT_SECONDS
    assert await resources.llm_can_stop()
