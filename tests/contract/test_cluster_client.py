"""What the API server's answers mean to the callers of adapters/cluster.py; on the simulated and a real one."""

import json

import pytest
from kubernetes_requests import CONFIGMAPS, eventually

from functions.adapters.cluster import Changed, Cluster, Missing
from functions.lifecycle.errors import ClusterRefused, ClusterUnavailable, PreconditionFailed

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
WORDS = "change freeze until Monday"


@pytest.fixture
async def cluster(kubernetes_api, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_api))
    made = await Cluster.connect()
    yield made
    await made.close()


@pytest.fixture
async def path(cluster, namespace):
    """A ConfigMap to patch."""
    collection = CONFIGMAPS.format(namespace)
    await cluster.create(collection, {"metadata": {"name": "c"}, "data": {"a": "b"}})
    return f"{collection}/c"


async def test_a_failed_test_means_that_the_object_has_changed(cluster, path):
    with pytest.raises(PreconditionFailed):
        await cluster.json_patch(path, [{"op": "test", "path": "/data/a", "value": "x"}])
    with pytest.raises(PreconditionFailed):
        await cluster.json_patch(path, [{"op": "remove", "path": "/data/gone"}])
    uid = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(PreconditionFailed):
        await cluster.merge_patch(path, {"metadata": {"uid": uid}})
    with pytest.raises(Changed):
        await cluster.merge_patch(path, {"metadata": {"resourceVersion": "1"}})


async def test_an_invalid_value_is_refused_in_the_api_servers_words(cluster, path):
    patch = [
        {"op": "test", "path": "/data/a", "value": "b"},
        {"op": "add", "path": "/metadata/labels", "value": {"a": "b c"}},
    ]
    with pytest.raises(ClusterRefused) as refused:
        await cluster.json_patch(path, patch)
    assert "metadata.labels" in refused.value.message
    with pytest.raises(ClusterRefused):
        await cluster.merge_patch(path, {"metadata": {"labels": {"a": "b c"}}})


async def test_an_admission_policys_denial_is_refused_in_its_words(cluster, kubernetes, path, freeze):
    with pytest.raises(ClusterRefused) as refused:
        await cluster.json_patch(path, [{"op": "test", "path": "/data/a", "value": "b"}])
    assert WORDS in refused.value.message
    assert "422" in refused.value.message


@pytest.fixture
async def freeze(cluster, kubernetes, namespace, path):
    """A ValidatingAdmissionPolicy that lets nothing in this namespace be changed; the simulated API is told to answer
    so.
    """
    if kubernetes.simulated:
        fault = {"answer": "denied", "verb": "patch", "resource": "configmaps", "message": WORDS}
        (await kubernetes.post("/_sim/faults", json=fault)).raise_for_status()
        yield
        return
    rules = [{"apiGroups": [""], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["configmaps"]}]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "false", "message": WORDS}],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    binding = {"policyName": namespace, "validationActions": ["Deny"], "matchResources": here}
    await cluster.create(POLICIES, {"metadata": {"name": namespace}, "spec": spec})
    await cluster.create(BINDINGS, {"metadata": {"name": namespace}, "spec": binding})
    try:

        async def in_force():
            answer = await kubernetes.patch(path, json={}, headers={"content-type": "application/merge-patch+json"})
            return WORDS in answer.text

        await eventually(in_force, "the policy is in force")
        yield
    finally:
        for collection in (BINDINGS, POLICIES):
            await cluster.delete(f"{collection}/{namespace}", {})


async def test_what_is_not_there_is_missing(cluster, path):
    with pytest.raises(Missing):
        await cluster.json_patch(f"{path}x", [{"op": "test", "path": "/data/a", "value": "b"}])
    with pytest.raises(Missing):
        await cluster.get("/apis/no.such.group/v1/things")


async def test_no_cluster_is_configured_where_the_kubeconfig_cant_be_used(tmp_path, monkeypatch, kubernetes_api):
    for text in ("", "[]", "a: [", "{}", "users: [1]", json.dumps({"contexts": [], "current-context": "x"})):
        (tmp_path / "kubeconfig").write_text(text)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        with pytest.raises(ClusterUnavailable, match="set KUBECONFIG"):
            await Cluster.connect()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(ClusterUnavailable, match="does not exist"):
        await Cluster.connect()
