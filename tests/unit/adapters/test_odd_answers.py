"""Answers about one object that are no object: they cost that object alone, whoever else refers to it."""

import asyncio
from datetime import UTC, datetime

import pytest
from aiohttp import web

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.kserve.activity import Activity
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


async def test_a_deployment_list_that_is_none_costs_no_other_model_of_the_page(observer, api_server):
    def model(name, namespace):
        metadata = {"name": name, "namespace": namespace, "uid": name}
        return {"metadata": metadata, "spec": {"predictor": {}}, "status": {"deploymentMode": "Standard"}}

    def answer(request):
        if request.path.endswith("/inferenceservices"):
            return web.json_response({"items": [model("first", "odd"), model("last", "ml")]})
        if request.path.endswith("/odd/deployments"):
            return web.json_response({"items": 3})
        if request.path.endswith("/ml/deployments"):
            down = {"metadata": {"name": "last-predictor"}, "spec": {"replicas": 0}}
            return web.json_response({"items": [down]})
        return answering({})(request)

    api_server.answers = answer
    (page,) = [page async for page in observer.pages(Kind.INFERENCE_SERVICE, "", lambda: True)]
    found = {seen.ref.name: seen.scaled_down for seen in page.observations}
    assert found["first"] is None
    assert found["last"].workload == "last-predictor"


@pytest.mark.parametrize("verb", ["stop", "start", None])
@pytest.mark.parametrize("answer", [{"status": 400}, {"text": '{"items": 3}'}], ids=["refused", "no-list"])
async def test_a_command_needs_no_list_of_deployments(observer, api_server, verb, answer):
    def answers(request):
        if request.path.endswith("/deployments"):
            return web.Response(content_type="application/json", **answer)
        if request.path.endswith("/last"):
            metadata = {"name": "last", "namespace": "ml", "uid": "1"}
            return web.json_response({"metadata": metadata, "status": {"deploymentMode": "Standard"}})
        return answering({})(request)

    api_server.answers = answers
    assert (await observer.observe(ModelRef(namespace="ml", name="last"), verb=verb)).scaled_down is None


async def test_however_many_stops_wait_the_models_are_listed_once(cluster, api_server):
    listed = []

    def answer(request):
        if request.path.endswith("/inferenceservices"):
            listed.append(request.path)
            changed = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T10:00:00Z"}
            model = {"metadata": {"name": "other", "namespace": "ml"}, "status": {"conditions": [changed]}}
            return web.json_response({"items": [model]})
        return answering({})(request)

    api_server.answers = answer
    activity = Activity(cluster, Resources(cluster), lambda: datetime(2026, 3, 1, 10, 5, tzinfo=UTC))
    waiting = [ModelRef(namespace="ml", name=f"model-{number}") for number in range(50)]
    moved = await asyncio.gather(*(activity.beside(ref) for ref in waiting))
    assert set(moved) == {datetime(2026, 3, 1, 10, tzinfo=UTC)}
    assert len(listed) == 1
    assert await activity.beside(ModelRef(namespace="ml", name="other")) is None


@pytest.mark.parametrize("odd", ["", "text", 3, True, ["a"]], ids=str)
async def test_a_model_that_is_no_object_is_in_error_and_its_graph_names_it(observer, api_server, odd):
    api_server.answers = answering(odd)
    seen = await observer.observe(ModelRef(namespace="ml", name="graph", kind=Kind.INFERENCE_GRAPH), pinned=True)
    assert {member.ref.name: member.state for member in seen.members} == {"odd": State.ERROR, "gone": State.ERROR}
    assert seen.pins == ()
    assert (await observer.observe(ModelRef(namespace="ml", name="odd"), pinned=True)).exists
