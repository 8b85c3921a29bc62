"""How a pod's server is to be asked, from what its owner wrote: whatever that is, it leads nowhere but to this pod."""

import copy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.model import Kind
from functions.adapters.kserve.metered import metered
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.served import Protocol, holds_model, server_of

MODEL = Model(Kind.INFERENCE_SERVICE, {"metadata": {"name": "m", "namespace": "tenant"}})
MODEL_OF_LLM = Model(Kind.LLM_INFERENCE_SERVICE, {"metadata": {"name": "m"}})
METADATA = {"uid": "u", "name": "m-predictor-1", "namespace": "tenant"}


def pod(*args, ip="10.0.0.1", **container):
    made = {"name": "kserve-container", "args": list(args), **container}
    return {"metadata": METADATA, "spec": {"containers": [made]}, "status": {"podIP": ip}}


def test_a_name_that_leads_elsewhere_is_no_name():
    climbs = "--model_name=../../../../../../kube-system/services/http:admin:80/proxy/drain?x="
    server = server_of(MODEL, pod(climbs))
    assert (server.names, server.told, server.unusable) == (("m",), False, "")


def test_a_name_that_the_server_was_told_goes_first_and_no_more_than_four_are_asked():
    assert server_of(MODEL, pod("--model_name=a/b")).names == ("a/b", "m")
    assert server_of(MODEL, pod("--model_name", "x")).names == ("x", "m")
    many = server_of(MODEL, pod(*(f"--model_name=n{number}" for number in range(100))))
    assert many.names == ("n0", "n1", "n2", "m")


def of_component(value, **labels):
    item = pod()
    item["spec"]["containers"][0]["name"] = "main"
    llm = {"app.kubernetes.io/part-of": "llminferenceservice", "app.kubernetes.io/component": value}
    item["metadata"] = {**METADATA, "labels": {**llm, **labels}}
    return item


@pytest.mark.parametrize("role", ["", "-prefill", "-leader", "-leader-prefill", "-worker", "-worker-prefill"])
def test_every_workload_of_an_llm_serves(role):
    assert holds_model(Kind.LLM_INFERENCE_SERVICE, of_component(f"llminferenceservice-workload{role}"))


@pytest.mark.parametrize(
    "component", ["llminferenceservice-router-scheduler", "llminferenceservice-router", "tokenizer", "something-new"]
)
def test_a_pod_of_an_llm_whose_container_is_called_main_too_serves_only_as_a_workload(component):
    assert not holds_model(Kind.LLM_INFERENCE_SERVICE, of_component(component))
    assert server_of(MODEL_OF_LLM, of_component(component)) is None
    assert metered(Kind.LLM_INFERENCE_SERVICE, of_component(component)) is None


def test_of_a_group_only_its_head_serves():
    worker = {"leaderworkerset.sigs.k8s.io/worker-index": "1"}
    assert not holds_model(Kind.LLM_INFERENCE_SERVICE, of_component("llminferenceservice-workload-worker", **worker))
    head = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}
    assert holds_model(Kind.LLM_INFERENCE_SERVICE, of_component("llminferenceservice-workload-worker", **head))


@pytest.mark.parametrize(("component", "serves"), [("predictor", True), ("transformer", False), ("something", False)])
def test_of_an_inference_service_only_its_predictor_serves(component, serves):
    item = {**pod(), "metadata": {**METADATA, "labels": {"component": component}}}
    assert holds_model(Kind.INFERENCE_SERVICE, item) is serves


def test_a_pods_component_is_what_kserve_calls_it_whatever_else_its_owner_labels_it():
    llm = of_component("llminferenceservice-workload", component="backend")
    assert read_pod(llm).component == "llminferenceservice-workload"
    labels = {"component": "predictor", "app.kubernetes.io/component": "backend"}
    assert read_pod({**pod(), "metadata": {**METADATA, "labels": labels}}).component == "predictor"


def test_an_llms_own_name_of_its_model_may_be_any():
    model = Model(Kind.LLM_INFERENCE_SERVICE, {"metadata": {"name": "m"}, "spec": {"model": {"name": "../.."}}})
    item = pod()
    item["spec"]["containers"][0]["name"] = "main"
    server = server_of(model, item)
    assert (server.names, server.protocols) == (("m",), (Protocol.OPENAI,))


@pytest.mark.parametrize("ip", ["169.254.169.254", "127.0.0.1", "::1", "kubernetes.default", "10.0.0.1:6443/x?", {}])
def test_an_address_that_is_none_of_a_pod_is_not_asked_and_that_is_said(ip):
    server = server_of(MODEL, pod(ip=ip))
    assert server.address == ""
    assert ("not a pod's" in server.unusable) == bool(ip)


@pytest.mark.parametrize("port", [0, 70_000, -1, "x", "9" * 5000, None, [], {}, True])
def test_a_port_that_is_none_is_not_asked_and_that_is_said(port):
    assert "port" in server_of(MODEL, pod(ports=[{"containerPort": port}])).unusable


@pytest.mark.parametrize(
    ("ports", "asked"),
    [
        ([("metrics", 8082), ("http1", 8080)], (8080, 8082)),
        ([(None, 8082), ("http1", 8080)], (8082, 8080)),
        ([("grpc", 9000), ("http-metrics", 8082), ("rest", 8080)], (8080, 9000, 8082)),
        ([("h2c", 9000)], (9000,)),
        ([(None, port) for port in range(1, 50)], (1, 2, 3, 4)),
        ([(None, 8080), (None, 8080), (None, 70_000)], (8080,)),
        ([], (8080,)),
    ],
)
def test_a_port_that_is_named_for_something_else_is_asked_last_and_no_more_than_four(ports, asked):
    listed = [{"containerPort": port, **({"name": name} if name else {})} for name, port in ports]
    server = server_of(MODEL, pod(ports=listed))
    assert (server.port, *server.other_ports) == asked


def test_the_secret_is_the_one_that_the_models_owner_names_and_its_value_is_shown_nowhere():
    annotations = {"modelswitch.dev/credentials": " api-key "}
    model = Model(Kind.INFERENCE_SERVICE, {"metadata": {**MODEL.metadata, "annotations": annotations}})
    server = server_of(model, pod())
    assert (server.secret, server.authorization) == ("api-key", "")
    assert "s3cret" not in repr(replace(server, authorization="Bearer s3cret"))


def test_a_port_of_another_transport_is_not_asked():
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 8080, "protocol": "TCP"}]
    server = server_of(MODEL, pod(ports=ports))
    assert (server.port, server.other_ports) == (8080, ())


def test_a_metrics_path_leads_nowhere_else():
    item = pod()
    item["metadata"] = {
        **METADATA,
        "annotations": {"prometheus.io/port": "9000", "prometheus.io/path": "/../../secrets"},
    }
    found = metered(Kind.INFERENCE_SERVICE, item)
    assert (found.server.port, found.path) == (9000, "/metrics")


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
PLACES = [
    ("status",),
    ("status", "podIP"),
    ("spec",),
    ("spec", "containers"),
    ("spec", "containers", 0, "args"),
    ("spec", "containers", 0, "command"),
    ("spec", "containers", 0, "ports"),
    ("spec", "containers", 0, "ports", 0),
    ("spec", "containers", 0, "ports", 0, "containerPort"),
    ("spec", "containers", 0, "readinessProbe"),
    ("spec", "containers", 0, "readinessProbe", "httpGet"),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("metadata", "annotations", "prometheus.io/port"),
    ("metadata", "annotations", "prometheus.io/path"),
]


@settings(max_examples=200)
@given(st.sampled_from(PLACES), json, json)
def test_whatever_stands_in_a_pod_it_is_read(place, value, spec):
    item = copy.deepcopy(pod("--model_name=x", ports=[{"containerPort": 1}], readinessProbe={"httpGet": {}}))
    item["metadata"] = {**METADATA, "labels": {}, "annotations": {"prometheus.io/port": "1", "prometheus.io/path": "/"}}
    inner = item
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    for kind in (Kind.INFERENCE_SERVICE, Kind.LLM_INFERENCE_SERVICE):
        model = Model(kind, {"metadata": {"name": "m", "namespace": "tenant"}, "spec": spec})
        server_of(model, item)
        metered(kind, item)
