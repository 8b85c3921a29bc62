"""Answers about one object that are no object: they cost that object alone, whoever else refers to it."""

from datetime import UTC, datetime

import pytest
from aiohttp import web

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe, ProxyLine

GRAPH = {
    "metadata": {"name": "graph", "namespace": "ml", "uid": "1"},
    "spec": {"nodes": {"root": {"steps": [{"serviceName": "odd"}, {"serviceName": "gone"}]}}},
}


@pytest.fixture
def observer(cluster):
    grace = Grace(cluster)
    return Observer(cluster, Resources(cluster), grace, Probe(ProxyLine(cluster)), lambda: datetime.now(UTC))


def answering(odd):
    def answer(request):
        if request.path == "/apis/serving.kserve.io":
            return web.json_response({"versions": [{"version": "v1beta1"}, {"version": "v1alpha1"}]})
        match request.path.rpartition("/")[2]:
            case "odd":
                return web.json_response(odd)
            case "graph":
                return web.json_response(GRAPH)
            case "gone":
                return web.json_response({}, status=404)
            case "deployments" | "replicasets" | "statefulsets":
                return web.json_response({"items": [odd]})
        return web.json_response({"items": []})

    return answer


@pytest.mark.parametrize("odd", ["", "text", 3, True, ["a"]], ids=str)
async def test_a_model_that_is_no_object_is_in_error_and_its_graph_names_it(observer, api_server, odd):
    api_server.answers = answering(odd)
    seen = await observer.observe(ModelRef(namespace="ml", name="graph", kind=Kind.INFERENCE_GRAPH), pinned=True)
    assert {member.ref.name: member.state for member in seen.members} == {"odd": State.ERROR, "gone": State.ERROR}
    assert seen.pins == ()
    assert (await observer.observe(ModelRef(namespace="ml", name="odd"), pinned=True)).exists
