"""Two accounts: one that may do what a step does and no more, one that may only read."""

import itertools

import pytest
from rendered import OVERLAYS, of_kind, overlay, pod_specs, render

READ = {"get", "list", "watch"}
MODELS = {"inferenceservices", "llminferenceservices", "inferencegraphs"}


def granted(role):
    """(group, resource, verb) of a ClusterRole of the base."""
    for rule in of_kind(render("base"), "ClusterRole")[role]["rules"]:
        yield from itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])


def test_the_reader_only_reads():
    assert {verb for _, _, verb in granted("modelswitch-reader")} <= READ


def test_the_reader_may_watch_all_that_the_sources_watch():
    rights = set(granted("modelswitch-reader"))
    for resource in MODELS:
        assert {("serving.kserve.io", resource, verb) for verb in READ} <= rights
    assert {("", "pods", verb) for verb in READ} <= rights


def test_the_lifecycle_account_changes_only_models_pins_and_pods():
    changes = {right for right in granted("modelswitch-lifecycle") if right[2] not in READ}
    assert changes == {
        *(("serving.kserve.io", model, "patch") for model in MODELS),
        ("apps", "replicasets", "patch"),
        ("apps", "statefulsets", "patch"),
        ("", "pods", "delete"),
        ("", "pods/status", "patch"),
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
    }


def test_no_rule_has_a_wildcard_or_reads_secrets():
    for role in of_kind(render("base"), "ClusterRole"):
        for group, resource, verb in granted(role):
            assert "*" not in {group, resource, verb}
            assert resource != "secrets"


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_what_runs_a_step_gets_the_lifecycle_account(name):
    accounts = {w.partition("/")[2]: s.get("serviceAccountName") for w, s in pod_specs(overlay(name))}
    accounts.pop("redis", None)
    reader = {workload for workload, account in accounts.items() if account == "modelswitch-reader"}
    assert reader == {"dead-letter"}
    assert set(accounts.values()) == {"modelswitch-reader", "modelswitch-lifecycle"}
    sources = of_kind(overlay(name), "ApiServerSource").values()
    assert {s["spec"]["serviceAccountName"] for s in sources} == {"modelswitch-reader"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_bindings_name_the_accounts_of_this_namespace(name):
    for binding, m in of_kind(overlay(name), "ClusterRoleBinding").items():
        assert m["subjects"] == [{"kind": "ServiceAccount", "name": binding, "namespace": "modelswitch"}]
        assert m["roleRef"]["name"] == binding
