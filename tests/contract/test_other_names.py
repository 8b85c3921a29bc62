"""Servers that call their model otherwise than its resource is called: they are asked which ones they have."""

from dataclasses import replace

import pytest
from hostile_server import answer, serving
from kubernetes.aio.client.configuration import Configuration

from functions.adapters.cluster import Cluster
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.probe import DirectLine, Probe, ProxyLine
from functions.lifecycle.observation import Answered

pytestmark = pytest.mark.timeout(60)

V1_FIRST = (Protocol.V1, Protocol.V2, Protocol.OPENAI)
V2_FIRST = (Protocol.V2, Protocol.V1, Protocol.OPENAI)
INDEX = "/v2/repository/index"
LOADED, MISSING, LOADING, UNASKABLE = Answered.LOADED, Answered.MISSING, Answered.LOADING, Answered.UNASKABLE


def a_server(port, protocols=V2_FIRST, names=("m",)):
    return Server("1", "pod-1", "ml", "127.0.0.1", port, False, names, False, protocols)


def triton(*models, words=True):
    """One that has these models: (name, state, reason). An older one answers 400 without `words`."""
    unknown = {"error": "Request for unknown model: 'm' is not found"}
    listed = [{"name": name, "version": "1", "state": state, "reason": why} for name, state, why in models]
    ready = {f"/v2/models/{name}/ready": answer(200) for name, state, _ in models if state == "READY"}
    refusal = answer(400, unknown) if words else answer(400)
    return {"paths": {"/v2/models/m/ready": refusal, **ready, INDEX: answer(200, listed)}, "otherwise": answer(400)}


async def asked(server_with, *, protocols=V2_FIRST, **changes):
    probe = Probe(DirectLine())
    async with serving(**server_with) as (port, _):
        found = await probe.ask([replace(a_server(port, protocols), **changes)])
    await probe.close()
    return found["1"]


@pytest.mark.parametrize("words", [True, False])
async def test_the_only_folder_of_tritons_repository_is_the_model(words):
    found = await asked(triton(("cifar10", "READY", ""), words=words))
    assert (found.what, found.model_path) == (LOADED, "/v2/models/cifar10/ready")
    assert found.predict_path == "/v2/models/cifar10/infer"
    assert "cifar10" in found.detail


@pytest.mark.parametrize(
    ("models", "what", "named"),
    [
        ([("a", "READY", ""), ("b", "UNAVAILABLE", "unloaded")], LOADED, "a"),
        ([("a", "READY", ""), ("b", "READY", "")], UNASKABLE, "a, b"),
        ([("a", "UNAVAILABLE", "Internal: no such file"), ("b", "", "")], MISSING, "no such file"),
        ([("a", "UNAVAILABLE", "x"), ("a", "READY", "")], LOADED, "a"),
        ([("a", "LOADING", ""), ("b", "UNAVAILABLE", "x")], LOADING, "a"),
        ([("m", "UNAVAILABLE", "Internal: no such file"), ("b", "READY", "")], MISSING, "no such file"),
        ([("m", "LOADING", "")], LOADING, "m"),
        ([("a", "UNKNOWN", "")], LOADING, "a"),
        ([], MISSING, "no model"),
    ],
)
async def test_none_or_several_models_are_told_apart_and_named(models, what, named):
    found = await asked(triton(*models))
    assert found.what is what
    assert named in found.detail


async def test_a_smoke_test_with_a_path_can_tell_where_several_models_are_loaded():
    found = await asked(triton(("a", "READY", ""), ("b", "READY", "")))
    assert found.own_protocol
    assert "smoke test" in found.detail


async def test_mlservers_model_is_called_as_its_model_settings_say():
    paths = {
        "/v2/models/m/ready": answer(404, {"error": "Model m not found"}),
        "/v2/models/iris-v7/ready": answer(200),
        INDEX: answer(200, [{"name": "iris-v7", "version": "v1", "state": "READY", "reason": ""}]),
    }
    found = await asked({"paths": paths})
    assert (found.what, found.predict_path) == (LOADED, "/v2/models/iris-v7/infer")


@pytest.mark.parametrize(
    ("ready", "what"),
    [
        (answer(200, {"name": "mnist", "ready": True}), LOADED),
        (answer(503, {"error": "Model with name mnist is not ready."}), LOADING),
    ],
)
async def test_a_kserve_server_lists_a_model_that_need_not_be_loaded(ready, what):
    """As around TorchServe, whose model is called as config.properties says."""
    paths = {
        "/v1/models/m": answer(404, {"error": "Model with name m does not exist."}),
        "/v1/models": answer(200, {"models": ["mnist"]}),
        "/v1/models/mnist": ready,
    }
    found = await asked({"paths": paths}, protocols=V1_FIRST)
    assert (found.what, found.predict_path) == (what, "/v1/models/mnist:predict")


async def test_openvinos_model_is_called_as_its_configuration_says():
    paths = {
        "/v2/models/m/ready": answer(404, {"error": "Model with requested name is not found"}),
        "/v1/config": answer(200, {"resnet": {"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}}),
    }
    found = await asked({"paths": paths})
    assert (found.what, found.predict_path) == (LOADED, "/v1/models/resnet:predict")


async def test_what_a_server_calls_its_model_is_unknown_where_it_does_not_list_what_it_has():
    paths = {"/v1/models/m": answer(404, {"error": "Servable not found for request: Latest(m)"})}
    untold = await asked({"paths": paths}, protocols=V1_FIRST)
    assert (untold.what, untold.own_protocol) == (UNASKABLE, True)
    assert "does not list" in untold.detail
    assert (await asked({"paths": paths}, protocols=V1_FIRST, told=True)).what is MISSING


async def test_it_is_unknown_where_the_api_server_lets_nobody_ask_for_the_list():
    """`create pods/proxy` is a right of its own."""
    forbidden = answer(403, {"kind": "Status", "apiVersion": "v1", "message": "cannot create pods/proxy", "code": 403})
    settings = Configuration()
    proxy = "/api/v1/namespaces/ml/pods/pod-1:{port}/proxy"
    paths = {}
    async with serving(paths) as (port, _):
        prefix = proxy.format(port=port)
        paths[f"{prefix}/v2/models/m/ready"] = answer(400)
        no_tls = {"kind": "Status", "apiVersion": "v1", "message": "first record does not look like a TLS handshake"}
        paths[f"{prefix.replace('pod-1', 'https:pod-1')}/v2/models/m/ready"] = answer(503, no_tls)
        paths[f"{prefix}{INDEX}"] = forbidden
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        found = (await Probe(ProxyLine(cluster)).ask([a_server(port)]))["1"]
        await cluster.close()
    assert found.what is UNASKABLE
    assert "create pods/proxy" in found.detail


@pytest.mark.parametrize(
    "index",
    [
        {"name": "a"},
        "a",
        [1],
        [{"name": 1, "state": "READY"}],
        [{"state": "READY"}],
        [{"name": f"n{number}", "state": "READY"} for number in range(5000)],
    ],
    ids=["object", "text", "numbers", "odd name", "no name", "too many"],
)
async def test_a_list_that_is_none_says_nothing(index):
    found = await asked(
        {"paths": {"/v2/models/m/ready": answer(400, {"error": "model not found"}), INDEX: answer(200, index)}}
    )
    assert found.what is UNASKABLE
    assert "does not list" in found.detail


async def test_a_name_that_the_server_chose_leads_nowhere_and_is_shown_short():
    climbs = "../../../kube-system/services/admin/proxy/drain?x=" + "\x1b[2J" * 100
    server = triton((climbs, "READY", ""))
    probe = Probe(DirectLine())
    async with serving(**server) as (port, tally):
        found = (await probe.ask([a_server(port)]))["1"]
    await probe.close()
    assert (found.what, found.model_path, found.predict_path) == (LOADED, "", "")
    assert not [path for path in tally.asked if "drain" in path]
    assert found.detail.isprintable() and len(found.detail) < 300
