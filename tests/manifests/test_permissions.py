"""Each account may do what the code that runs under it asks of the API server, and nothing else."""

import itertools
import re

import pytest
from real_cluster import render as installation
from rendered import KNATIVE, OVERLAYS, functions, of_kind, overlay, pod_specs, render
from used_rights import LIST_BINDINGS, MODELS, READ_POLICY, REQUESTS, RUNS, calls, used

from functions.adapters.kserve.resources import STOP_ANNOTATION_POLICY

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
    """(group, resource, verb) that it has where it works: in the whole cluster, or in a namespace that opted in."""
    bound = bound_for_the_cluster(manifests, account) | opted_in(manifests).get(account, set())
    roles = of_kind(manifests, "ClusterRole")
    return {right for name in bound for right in rights_of(roles[name])}


def bound_for_the_cluster(manifests, account):
    bindings = of_kind(manifests, "ClusterRoleBinding").values()
    return {m["roleRef"]["name"] for m in bindings if account in {subject["name"] for subject in m["subjects"]}}


def opted_in(manifests):
    """What opt-in.sh binds in a namespace, by account; where the overlay binds all in the cluster, nothing."""
    found = {}
    if not any("NAMESPACE_SELECTOR" in m["data"] for m in of_kind(manifests, "ConfigMap").values()):
        return found
    lines = re.findall(r"^ +bind ([a-z-]+) ([a-z ]+)$", (KNATIVE / "opt-in.sh").read_text(), re.MULTILINE)
    for part, accounts in lines:
        for account in accounts.split():
            found.setdefault(f"modelswitch-{account}", set()).add(f"modelswitch-{part}.modelswitch")
    return found


def test_every_request_to_the_api_server_is_known_with_its_rights():
    """Fails where code asks something new: say in used_rights.py which rights that needs, then
    grant them in rbac.yaml.
    """
    assert calls() == {module: methods for module, (methods, _) in REQUESTS.items()}


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("account", sorted(RUNS))
def test_each_right_that_is_used_is_granted_and_each_that_is_granted_is_used(account, name):
    assert granted(overlay(name), account) == used(account, name)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_sources_may_watch_what_they_watch(name):
    watched = {("serving.kserve.io", model) for model in MODELS} | {("", "pods")}
    expected = {(group, resource, verb) for group, resource in watched for verb in READ}
    assert granted(overlay(name), "modelswitch-watch") == expected
    sources = of_kind(overlay(name), "ApiServerSource").values()
    assert {s["spec"]["serviceAccountName"] for s in sources} == {"modelswitch-watch"}


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("namespace", ["modelswitch", "blue"])
def test_of_admission_policies_only_the_one_of_this_installation_is_read(namespace, name):
    manifests = installation(namespace, name)
    policy = f"{STOP_ANNOTATION_POLICY}.{namespace}"
    rules = [rule for role in of_kind(manifests, "ClusterRole").values() for rule in role["rules"]]
    [rule] = [rule for rule in rules if "admissionregistration.k8s.io" in rule["apiGroups"] and "get" in rule["verbs"]]
    assert (rule["resourceNames"], rule["verbs"]) == ([policy], ["get"])
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        assert policy in of_kind(manifests, kind)
    [api] = [spec for workload, spec in pod_specs(manifests) if workload == "Deployment/api"]
    [told] = [one for one in api["containers"][0]["env"] if one["name"] == "INSTALLATION"]
    assert of_kind(manifests, "ConfigMap")["modelswitch"]["data"]["INSTALLATION"] == namespace
    assert told["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


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


def test_per_namespace_nothing_of_a_tenant_is_read_or_changed_without_its_opting_in():
    """But the labels of Namespaces: which of them opted in, and take commands by event. The policy is our own."""
    manifests = overlay("per-namespace")
    roles = of_kind(manifests, "ClusterRole")
    for account in ACCOUNTS.values():
        bound = bound_for_the_cluster(manifests, account)
        rights = {right for name in bound for right in rights_of(roles[name])}
        assert rights <= {
            ("", "namespaces", "get"),
            ("", "namespaces", "list"),
            ("modelswitch.dev", "stopnotes", "write"),
            ("serving.kserve.io", "clusterservingruntimes", "get"),
            ("authentication.k8s.io", "tokenreviews", "create"),
            ("authorization.k8s.io", "subjectaccessreviews", "create"),
            *READ_POLICY,
            *LIST_BINDINGS,
        }, account


def test_per_namespace_the_sources_and_the_policies_look_at_what_opted_in():
    manifests = overlay("per-namespace")
    label = {"modelswitch.dev/installation": "modelswitch"}
    assert (
        of_kind(manifests, "ConfigMap")["modelswitch"]["data"]["NAMESPACE_SELECTOR"]
        == "modelswitch.dev/installation=modelswitch"
    )
    for source in of_kind(manifests, "ApiServerSource").values():
        assert source["spec"]["namespaceSelector"] == {"matchLabels": label}
    bindings = of_kind(manifests, "ValidatingAdmissionPolicyBinding")
    for name in ("handover", "handover-marks", "stop-annotation"):
        assert bindings[f"modelswitch-{name}.modelswitch"]["spec"]["matchResources"] == {
            "namespaceSelector": {"matchLabels": label}
        }
    for name in ("own-models", "own-workloads", "own-pods"):
        assert "matchResources" not in bindings[f"modelswitch-{name}.modelswitch"]["spec"], "it must hold everywhere"
