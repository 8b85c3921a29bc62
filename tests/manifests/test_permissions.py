"""Each account may do what the code that runs under it asks of the API server, and nothing else."""

import itertools

import pytest
from rendered import OVERLAYS, functions, of_kind, overlay, pod_specs, render
from used_rights import MODELS, REQUESTS, RUNS, calls, used

READ = {"get", "list", "watch"}
ACCOUNTS = {
    "api": "modelswitch-api",
    "command": "modelswitch-lifecycle",
    "pod-status": "modelswitch-lifecycle",
    "tick": "modelswitch-lifecycle",
    "artifact-written": "modelswitch-artifacts",
    "dead-letter": "modelswitch-none",
}


def rights_of(role):
    for rule in role["rules"]:
        yield from itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])


def granted(manifests, account):
    """(group, resource, verb) that any binding gives it, wherever."""
    roles = {(kind, name): m for kind in ("ClusterRole", "Role") for name, m in of_kind(manifests, kind).items()}
    bindings = [m for kind in ("ClusterRoleBinding", "RoleBinding") for m in of_kind(manifests, kind).values()]
    bound = [m["roleRef"] for m in bindings if account in {subject["name"] for subject in m["subjects"]}]
    return {right for ref in bound for right in rights_of(roles[ref["kind"], ref["name"]])}


def test_every_request_to_the_api_server_is_known_with_its_rights():
    """Fails where code asks something new: say in used_rights.py which rights that needs, then grant them in rbac.yaml."""
    assert calls() == {module: methods for module, (methods, _) in REQUESTS.items()}


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("account", sorted(RUNS))
def test_each_right_that_is_used_is_granted_and_each_that_is_granted_is_used(account, name):
    assert granted(overlay(name), account) == used(account)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_sources_may_watch_what_they_watch(name):
    watched = {("serving.kserve.io", model) for model in MODELS} | {("", "pods")}
    expected = {(group, resource, verb) for group, resource in watched for verb in READ}
    assert granted(overlay(name), "modelswitch-watch") == expected
    sources = of_kind(overlay(name), "ApiServerSource").values()
    assert {s["spec"]["serviceAccountName"] for s in sources} == {"modelswitch-watch"}


def test_no_rule_has_a_wildcard_or_reads_secrets():
    for role in of_kind(render("base"), "ClusterRole").values():
        for group, resource, verb in rights_of(role):
            assert "*" not in {group, resource, verb}
            assert resource != "secrets"


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_workload_runs_under_the_account_of_its_work(name):
    manifests = overlay(name)
    accounts = {w.partition("/")[2]: s.get("serviceAccountName") for w, s in pod_specs(manifests)}
    accounts.pop("redis", None)
    assert accounts == ACCOUNTS
    assert set(ACCOUNTS.values()) < of_kind(manifests, "ServiceAccount").keys()


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_dead_letter_sink_and_redis_get_no_token(name):
    manifests = overlay(name)
    account = of_kind(manifests, "ServiceAccount")["modelswitch-none"]
    assert account["automountServiceAccountToken"] is False
    dead_letter = functions(manifests)["dead-letter"]["spec"]["template"]["spec"]
    assert dead_letter.get("automountServiceAccountToken", False) is False
    for redis in of_kind(manifests, "StatefulSet").values():
        assert redis["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_bindings_name_accounts_and_roles_that_there_are(name):
    manifests = overlay(name)
    accounts = of_kind(manifests, "ServiceAccount").keys()
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding, m in of_kind(manifests, kind).items():
            assert m["roleRef"]["name"] in of_kind(manifests, m["roleRef"]["kind"]), binding
            for subject in m["subjects"]:
                assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", "modelswitch"), binding
                assert subject["name"] in accounts, binding
