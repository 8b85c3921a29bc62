"""An overlay patches the base and adds what only it needs; nothing of the base is written down twice."""

import pytest
import yaml
from contract_types import COMMANDS, FACTS, NOTIFICATIONS, PING, types_in
from rendered import KNATIVE, OVERLAYS, environment, functions, identity, of_kind, overlay, pod_specs, render

from events.artifact import ArtifactWritten
from events.commands import ReloadRequested


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_redefines_nothing_of_the_base(name):
    folder = KNATIVE / "overlays" / name
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert "../../base" in listed
    base = {identity(m) for m in render("base")}
    for file in (r for r in listed if r.endswith(".yaml")):
        for m in yaml.safe_load_all((folder / file).read_text()):
            assert identity(m) not in base, f"{file} repeats {identity(m)}: patch it instead"


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_image_has_a_fixed_version(name):
    for workload, spec in pod_specs(overlay(name)):
        image = spec["containers"][0]["image"]
        assert ":" in image and not image.endswith(":latest"), (workload, image)


@pytest.mark.parametrize("name", sorted(set(OVERLAYS) - {"dev"}))
def test_no_password_is_written_down_outside_dev(name):
    assert of_kind(overlay(name), "Secret") == {}


def test_the_password_of_dev_says_that_it_is_none():
    assert "not-a-secret" in (KNATIVE / "overlays/dev/kustomization.yaml").read_text()


@pytest.mark.parametrize("name", sorted(set(OVERLAYS) - {"production"}))
def test_redis_keeps_its_data_evicts_nothing_and_asks_for_a_password(name):
    redis = of_kind(overlay(name), "StatefulSet")["redis"]["spec"]
    assert redis["volumeClaimTemplates"][0]["metadata"]["name"] == "data"
    configuration = of_kind(overlay(name), "ConfigMap")["redis"]["data"]["redis.conf"].splitlines()
    assert {"appendonly yes", "maxmemory-policy noeviction"} <= set(configuration)
    container = redis["template"]["spec"]["containers"][0]
    assert "user modelswitch on >$REDIS_PASSWORD" in container["args"][0]
    assert "user default on >$REDIS_PASSWORD $rights" in container["args"][0], "not without a password, nor with more"
    assert "REDIS_PASSWORD" not in " ".join(container["command"])


def test_production_has_kafka_and_no_redis_of_its_own():
    production = overlay("production")
    broker = of_kind(production, "Broker")["modelswitch"]
    assert broker["metadata"]["annotations"]["eventing.knative.dev/broker.class"] == "Kafka"
    assert broker["spec"]["config"]["name"] == "kafka-broker-config"
    assert [m["kind"] for m in production if m["metadata"]["name"] == "redis"] == []


def test_production_mounts_the_authority_of_redis_where_there_is_one():
    for workload, spec in pod_specs(overlay("production")):
        volumes = {v["name"]: v for v in spec["volumes"]}
        assert volumes["redis-ca"]["secret"]["optional"], workload
        assert "tmp" in volumes, workload


def test_production_survives_a_drained_node():
    production = overlay("production")
    budgets = of_kind(production, "PodDisruptionBudget")
    assert budgets.keys() == {"api", "command"}
    assert of_kind(production, "Deployment")["api"]["spec"]["replicas"] == 2
    annotations = functions(production)["command"]["spec"]["template"]["metadata"]["annotations"]
    assert int(annotations["autoscaling.knative.dev/min-scale"]) == 2
    for name, budget in budgets.items():
        workload = of_kind(production, "Deployment").get(name) or functions(production)[name]
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_production_says_who_may_send_every_type_that_the_broker_takes():
    policies = of_kind(overlay("production"), "EventPolicy")
    allowed = {name: set(types_in(m["spec"]["filters"])) for name, m in policies.items()}
    ours = FACTS | {ReloadRequested.type, ArtifactWritten.type}  # the last: sent again from the audit page
    assert allowed == {"facts": ours, "notifications": NOTIFICATIONS, "tick": {PING}, "operators": COMMANDS}
    for name, m in policies.items():
        assert m["spec"]["to"][0]["ref"]["kind"] == "Broker", name
        assert m["spec"]["from"], name
        assert all(sender.get("sub") != "*" for sender in m["spec"]["from"]), name


def test_openshift_has_a_route_by_https_and_leaves_the_user_to_the_cluster():
    openshift = overlay("openshift")
    route = of_kind(openshift, "Route")["api"]["spec"]
    assert (route["to"]["name"], route["tls"]["termination"]) == ("api", "reencrypt")
    assert route["tls"]["insecureEdgeTerminationPolicy"] == "Redirect"
    service = of_kind(openshift, "Service")["api"]
    secret = service["metadata"]["annotations"]["service.beta.openshift.io/serving-cert-secret-name"]
    assert [port["name"] for port in service["spec"]["ports"]] == [route["port"]["targetPort"]] == ["https"]
    pod = of_kind(openshift, "Deployment")["api"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    [volume] = [volume["name"] for volume in pod["volumes"] if volume.get("secret") == {"secretName": secret}]
    named = environment(pod)
    assert named["TLS_CERT_FILE"] == f"{mounted[volume]}/tls.crt"
    assert named["TLS_KEY_FILE"] == f"{mounted[volume]}/tls.key"
    assert "modelswitch.modelswitch" in of_kind(openshift, "ConsoleLink")
    for workload, spec in pod_specs(openshift):
        users = [spec.get("securityContext", {}), *(c["securityContext"] for c in spec["containers"])]
        assert not any("runAsUser" in user or "fsGroup" in user for user in users), workload


def test_no_serving_needs_nothing_of_knative_serving():
    manifests = overlay("no-serving")
    assert [m for m in manifests if m["apiVersion"].startswith("serving.knative.dev/")] == []
    services = of_kind(manifests, "Service", "")
    for name, deployment in of_kind(manifests, "Deployment").items():
        selector = services[name]["spec"]["selector"]
        assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
