"""Every pod is restricted, probed and limited, in every overlay."""

import pytest
from rendered import OVERLAYS, ROOT, environment, functions, of_kind, overlay, pod_specs

FUNCTIONS = {"command", "artifact-written", "pod-status", "tick", "dead-letter"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_container_runs_restricted_on_a_read_only_root(name):
    for workload, spec in pod_specs(overlay(name)):
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "runAsNonRoot": True,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }, workload


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_container_has_probes_requests_and_limits(name):
    for workload, spec in pod_specs(overlay(name)):
        for container in spec["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= container.keys(), workload
            for side in ("requests", "limits"):
                assert container["resources"][side].keys() == {"cpu", "memory"}, (workload, side)


@pytest.mark.parametrize("name", OVERLAYS)
def test_our_own_pods_are_probed_without_redis_and_can_write_to_tmp(name):
    """/healthz says no while Redis is away: nothing would lead to the api then, and a stop over REST must still work."""
    manifests = overlay(name)
    own = {**functions(manifests), "api": of_kind(manifests, "Deployment")["api"]}
    for workload, manifest in own.items():
        spec = manifest["spec"]["template"]["spec"]
        container = spec["containers"][0]
        for probe in ("readinessProbe", "livenessProbe"):
            encrypted = any(entry["name"] == "TLS_CERT_FILE" for entry in container.get("env", ()))
            scheme = {"scheme": "HTTPS"} if encrypted else {}
            assert container[probe]["httpGet"] == {"path": "/livez", "port": 8080, **scheme}, workload
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, workload
        secrets = [{"secretRef": {"name": name}} for name in ("redis", "delivery")]
        assert container["envFrom"] == [{"configMapRef": {"name": "modelswitch"}}, *secrets]


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_namespace_enforces_the_restricted_standard(name):
    labels = of_kind(overlay(name), "Namespace")["modelswitch"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_function_source_exists_and_carries_its_target(name):
    workloads = functions(overlay(name))
    assert workloads.keys() == FUNCTIONS
    for function, manifest in workloads.items():
        env = environment(manifest["spec"]["template"]["spec"])
        source = ROOT / env["FUNCTION_SOURCE"]
        assert env["FUNCTION_TARGET"] == function.replace("-", "_")
        assert source.is_file(), f"{function}: {env['FUNCTION_SOURCE']} does not exist"
        assert f"def {env['FUNCTION_TARGET']}(" in source.read_text(), f"{source} defines no {env['FUNCTION_TARGET']}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_commands_and_api_always_run(name):
    manifests = overlay(name)
    manifest = functions(manifests)["command"]
    annotations = manifest["spec"]["template"]["metadata"].get("annotations", {})
    assert int(manifest["spec"].get("replicas", annotations.get("autoscaling.knative.dev/min-scale", 0))) >= 1
    assert of_kind(manifests, "Deployment")["api"]["spec"]["replicas"] >= 1


@pytest.mark.parametrize("name", OVERLAYS)
def test_knative_services_are_not_reachable_from_outside_the_cluster(name):
    for service, manifest in of_kind(overlay(name), "Service", "serving.knative.dev").items():
        assert manifest["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local", service
        assert manifest["spec"]["template"]["spec"]["timeoutSeconds"] == 25, service
