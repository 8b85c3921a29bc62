"""On a real API server: only modelswitch adds or changes modelswitch.dev/stop; users who may patch a model may remove
it.
"""

import copy
import secrets

import pytest
from model_objects import model
from real_cluster import Caller, needs_a_cluster, wait_until

pytestmark = [needs_a_cluster, pytest.mark.usefixtures("in_force")]

NOTE = '{"holds":[],"source":"rest:alice","command":"1","since":"2026-01-01T00:00:00Z"}'
FORGED = '{"holds":[],"source":"rest:ceo","command":"1","since":"2026-01-01T00:00:00Z","queued":{"actor":"ceo"}}'
STOP, OURS = "serving.kserve.io/stop", "modelswitch.dev/stop"


@pytest.fixture(scope="module")
def models(tenant):
    return f"/apis/serving.kserve.io/v1beta1/namespaces/{tenant}/inferenceservices"


@pytest.fixture(scope="module")
def in_force(installation, models, alice):
    """A policy that was just made takes the API server a moment."""
    wait_until(lambda: alice.create(f"{models}?dryRun=All", model("try", {OURS: NOTE})).status_code == 403)


@pytest.fixture(scope="module")
def switch(http, installation):
    return Caller(http, installation.account("modelswitch-lifecycle"))


@pytest.fixture
def stopped(admin, models):
    """The path of a model that modelswitch has stopped."""
    name = f"scorer-{secrets.token_hex(3)}"
    assert admin.create(models, model(name, {STOP: "true", OURS: NOTE})).status_code == 201
    yield f"{models}/{name}"
    admin.delete(f"{models}/{name}")


@pytest.fixture
def running(admin, models):
    name = f"scorer-{secrets.token_hex(3)}"
    assert admin.create(models, model(name)).status_code == 201
    yield f"{models}/{name}"
    admin.delete(f"{models}/{name}")


def annotated(**annotations):
    return {"metadata": {"annotations": annotations}}


@pytest.mark.parametrize("account", ["modelswitch-lifecycle", "modelswitch-api"])
def test_the_accounts_that_stop_models_may_add_change_and_remove_it(http, installation, running, account):
    ours = Caller(http, installation.account(account))
    for text in (NOTE, FORGED, None):
        done = ours.merge(running, annotated(**{STOP: "true" if text else None, OURS: text}))
        assert done.status_code == 200, done.text


@pytest.mark.parametrize("account", ["modelswitch-watch", "modelswitch-artifacts", "modelswitch-none", "default"])
def test_no_other_account_of_the_installation_may(admin, http, installation, running, tenant, account):
    _may_edit_models(admin, tenant, installation.account(account))
    caller = Caller(http, installation.account(account))
    # Its RoleBinding takes the API server a moment; until then RBAC refuses, in other words.
    wait_until(
        lambda: "only modelswitch may add" in caller.merge(running, annotated(**{STOP: "true", OURS: NOTE})).text
    )


def test_a_tenants_administrator_may_not_add_it(alice, running):
    done = alice.merge(running, annotated(**{STOP: "true", OURS: FORGED}))
    assert (done.status_code, done.json()["reason"]) == (403, "Forbidden")
    assert "only modelswitch may add or change it" in done.json()["message"]
    assert "ask modelswitch" in done.json()["message"]


def test_a_tenants_administrator_may_not_change_it(alice, stopped):
    assert alice.merge(stopped, annotated(**{OURS: FORGED})).status_code == 403
    assert alice.merge(stopped, annotated(**{OURS: ""})).status_code == 403


def test_a_copied_manifest_is_refused_and_says_what_to_remove(alice, models):
    done = alice.create(models, model("copy", {STOP: "true", OURS: FORGED}))
    assert done.status_code == 403
    assert "remove it from the manifest" in done.json()["message"]
    assert alice.create(models, model("copy", {STOP: "true"})).status_code == 201


@pytest.mark.parametrize("change", [{STOP: None, OURS: None}, {OURS: None}, {STOP: None}, {"owner": "me"}])
def test_whoever_may_patch_the_model_may_remove_it_and_change_all_else(alice, stopped, change):
    done = alice.merge(stopped, annotated(**change))
    assert done.status_code == 200, done.text


def test_an_update_that_leaves_it_alone_passes_whoever_sends_it(alice, stopped):
    """As KServe's controller writes, `kubectl apply` of an exported object, and a GitOps tool."""
    whole = alice.get(stopped)
    whole["metadata"]["finalizers"] = ["example.com/own"]
    assert alice.replace(stopped, whole).status_code == 200
    assert alice.merge(stopped, {"metadata": {"finalizers": None}}).status_code == 200
    done = alice.request("PATCH", f"{stopped}/status", {"status": {"url": "http://x"}}, "application/merge-patch+json")
    assert done.status_code == 200, done.text


def test_a_manifest_with_an_older_annotation_is_refused(admin, alice, stopped):
    old = copy.deepcopy(alice.get(stopped))
    assert admin.merge(stopped, annotated(**{OURS: FORGED})).status_code == 200
    old["metadata"].pop("resourceVersion")
    assert alice.merge(stopped, {"metadata": {"annotations": old["metadata"]["annotations"]}}).status_code == 403


def test_every_kind_and_version_of_model_is_covered(alice, tenant):
    group = "/apis/serving.kserve.io"
    graph = {"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceName": "a", "name": "a"}]}}}
    llm = {"model": {"uri": "hf://a/b", "name": "a"}, "replicas": 1}
    kinds = [
        ("v1alpha1/{}/inferencegraphs", "InferenceGraph", graph),
        ("v1alpha1/{}/llminferenceservices", "LLMInferenceService", llm),
        ("v1alpha2/{}/llminferenceservices", "LLMInferenceService", llm),
    ]
    for place, kind, spec in kinds:
        path = f"{group}/{place.format(f'namespaces/{tenant}')}"
        meta = {"name": "forged", "annotations": {STOP: "true", OURS: FORGED}}
        version = f"serving.kserve.io/{place.partition('/')[0]}"
        body = {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}
        done = alice.create(f"{path}?dryRun=All", body)
        assert done.status_code == 403 and "modelswitch" in done.text, (place, done.text)


def test_a_controller_with_all_rights_may_not_because_it_acts_for_tenants(admin, http, tenant, models, running):
    """As Argo CD and Flux are usually installed."""
    gitops = f"system:serviceaccount:{tenant}:gitops"
    binding = {
        "metadata": {"name": f"gitops-{tenant}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "gitops", "namespace": tenant}],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    assert admin.create(path, binding).status_code == 201
    try:
        caller = Caller(http, gitops)
        wait_until(lambda: caller.request("GET", running).status_code == 200)
        assert caller.merge(running, annotated(**{STOP: "true", OURS: FORGED})).status_code == 403
        assert caller.create(models, model("restored", {STOP: "true", OURS: NOTE})).status_code == 403
        assert caller.merge(running, annotated(**{STOP: "true"})).status_code == 200
    finally:
        admin.delete(f"{path}/gitops-{tenant}")


def test_an_account_that_is_exempt_may_restore_it(admin, http, installation, tenant, models):
    restorer = f"system:serviceaccount:{tenant}:velero"
    _may_edit_models(admin, tenant, restorer)
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    policy = f"{policies}/modelswitch-stop-annotation.{installation.namespace}"
    variables = admin.get(policy)["spec"]["variables"]
    index = next(i for i, variable in enumerate(variables) if variable["name"] == "exempt")
    path = f"/spec/variables/{index}/expression"
    before = variables[index]["expression"]
    assert admin.patch(policy, {"op": "replace", "path": path, "value": f"['{restorer}']"}).status_code == 200
    try:
        body = model("restored", {STOP: "true", OURS: NOTE})
        wait_until(lambda: Caller(http, restorer).create(f"{models}?dryRun=All", body).status_code == 201)
    finally:
        admin.patch(policy, {"op": "replace", "path": path, "value": before})


def _may_edit_models(admin, tenant, user):
    """Through a Role of the tenant's namespace, so that nothing but the policy can refuse."""
    group = "rbac.authorization.k8s.io"
    place = f"/apis/{group}/v1/namespaces/{tenant}"
    rules = [
        {"apiGroups": ["serving.kserve.io"], "resources": ["inferenceservices"], "verbs": ["create", "get", "patch"]}
    ]
    admin.create(f"{place}/roles", {"metadata": {"name": "edit-models"}, "rules": rules})
    subject = {"apiGroup": group, "kind": "User", "name": user}
    ref = {"apiGroup": group, "kind": "Role", "name": "edit-models"}
    binding = {"metadata": {"generateName": "edit-models-"}, "roleRef": ref, "subjects": [subject]}
    assert admin.create(f"{place}/rolebindings", binding).status_code == 201
