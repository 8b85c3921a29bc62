"""Who may reach whom, in every overlay: who asks models may reach them, who need not may not, and
nothing is left open.
"""

import pytest
from network import Address, Pod, allows, selecting
from rendered import OVERLAYS, of_kind, overlay, pod_specs

MODEL = Pod({"serving.kserve.io/inferenceservice": "scorer", "component": "predictor"}, "fraud")
LLM = Pod({"app.kubernetes.io/part-of": "llminferenceservice", "app.kubernetes.io/name": "chat"}, "chat")
TENANT = Pod({"app": "anything"}, "fraud")
DNS = Pod({"k8s-app": "kube-dns"}, "kube-system")
API_SERVER = Address("10.0.0.1")
BROKER = Pod({"app": "broker-ingress"}, "knative-eventing")
DISPATCHER = Pod({"app": "kafka-broker-dispatcher"}, "knative-eventing")
ACTIVATOR = Pod({"app": "activator"}, "knative-serving")
GATEWAY = Pod({"app": "3scale-kourier-gateway"}, "kourier-system")
PROMETHEUS = Pod({"app": "prometheus"}, "monitoring")
OWN_PROMETHEUS = Pod({"app": "prometheus"}, "observability", {"modelswitch.dev/metrics": "allow"})
SOURCE = Pod({"eventing.knative.dev/source": "apiserver-source-controller"})
JOB = Pod({"app": "operators-job"})

ASK_MODELS = {"api", "command", "pod-status", "tick"}
ASK_THE_CLUSTER = ASK_MODELS | {"artifact-written"}
USE_REDIS = ASK_THE_CLUSTER | {"dead-letter"}
PUBLISH = ASK_THE_CLUSTER


def workloads(name):
    """Each workload's pod, by name, with the labels that its template gives it."""
    manifests = overlay(name)
    found = {}
    for m in manifests:
        template = m.get("spec", {}).get("template", {})
        if "spec" in template:
            found[m["metadata"]["name"]] = Pod(template["metadata"]["labels"])
    assert len(found) == len(list(pod_specs(manifests)))
    return manifests, found


def who_may(name, target, port):
    manifests, pods = workloads(name)
    return {source for source, pod in pods.items() if allows(manifests, pod, target, port)}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_is_denied_by_default_in_both_directions(name):
    manifests, pods = workloads(name)
    for pod in [*pods.values(), SOURCE, JOB]:
        for direction in ("Ingress", "Egress"):
            assert "default-deny" in selecting(manifests, pod, direction)
    assert of_kind(manifests, "NetworkPolicy")["default-deny"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("model", [MODEL, LLM])
def test_what_asks_models_may_reach_them_on_any_port_and_nothing_else_may(name, model):
    for port in (8080, 8443, 9000, 9090):
        assert who_may(name, model, port) == ASK_MODELS


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_that_is_no_models_is_reached_by_none(name):
    assert who_may(name, TENANT, 8080) == set()


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_what_has_rights_may_reach_the_api_server(name):
    for port in (443, 6443):
        outside = who_may(name, API_SERVER, port)
        assert outside == ASK_THE_CLUSTER
    manifests, _ = workloads(name)
    assert allows(manifests, SOURCE, API_SERVER, 443)
    assert not allows(manifests, JOB, API_SERVER, 443)


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_publishes_reaches_the_broker(name):
    assert who_may(name, BROKER, 8080) == PUBLISH
    manifests, _ = workloads(name)
    assert allows(manifests, SOURCE, BROKER, 8080)
    assert allows(manifests, JOB, BROKER, 8080)


@pytest.mark.parametrize("name", OVERLAYS)
def test_names_are_resolved_by_all_but_redis(name):
    manifests, pods = workloads(name)
    for target in (DNS, Address("169.254.20.10")):
        found = {source for source, pod in pods.items() if allows(manifests, pod, target, 53, "UDP")}
        assert found == pods.keys() - {"redis"}


@pytest.mark.parametrize("name", sorted(set(OVERLAYS) - {"production"}))
def test_only_our_own_pods_reach_redis(name):
    manifests, pods = workloads(name)
    assert who_may(name, pods["redis"], 6379) == USE_REDIS
    for stranger in (TENANT, JOB, SOURCE, PROMETHEUS, BROKER):
        assert not allows(manifests, stranger, pods["redis"], 6379)
    assert who_may(name, Address("192.0.2.1"), 6379) == set()


def test_production_reaches_a_redis_outside_the_cluster():
    for port in (6379, 6380):
        assert who_may("production", Address("192.0.2.1"), port) == USE_REDIS


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_the_way_of_the_events_leads_to_a_function(name):
    manifests, pods = workloads(name)
    serving = name != "no-serving"
    ports = (8012, 8013, 8112) if serving else (8080,)
    senders = (ACTIVATOR, GATEWAY) if serving else (DISPATCHER,)
    others = [TENANT, JOB, SOURCE, MODEL, *pods.values(), *([DISPATCHER] if serving else [ACTIVATOR, GATEWAY])]
    for function in USE_REDIS - {"api"}:
        for port in ports:
            assert all(allows(manifests, sender, pods[function], port) for sender in senders), function
            assert not any(allows(manifests, other, pods[function], port) for other in others), function


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_api_is_reached_from_everywhere_on_its_port_and_on_no_other(name):
    manifests, pods = workloads(name)
    for caller in (TENANT, MODEL, Address("192.0.2.1")):
        assert allows(manifests, caller, pods["api"], 8080)
        assert not allows(manifests, caller, pods["api"], 9090)


@pytest.mark.parametrize("name", OVERLAYS)
def test_prometheus_reads_the_metrics_of_functions_and_api(name):
    manifests, pods = workloads(name)
    for prometheus in (PROMETHEUS, OWN_PROMETHEUS):
        assert {to for to, pod in pods.items() if allows(manifests, prometheus, pod, 8080)} == USE_REDIS


def test_without_serving_a_store_reaches_artifact_written_from_a_namespace_that_says_so():
    manifests, pods = workloads("no-serving")
    store = Pod({"app": "minio"}, "minio", {"modelswitch.dev/delivers": "artifacts"})
    assert {to for to, pod in pods.items() if allows(manifests, store, pod, 8080)} == {"artifact-written", "api"}
