"""Several installations on one cluster: none overwrites, binds or deletes what is another's."""

import re

import pytest
import yaml
from real_cluster import RIGHTS, render
from rendered import KNATIVE, OVERLAYS, overlay

CLUSTER_SCOPED = {*RIGHTS, "ConsoleLink", "Namespace"}


def identities(manifests):
    return {(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests}


@pytest.mark.parametrize("name", OVERLAYS)
def test_installations_in_two_namespaces_share_no_object(name):
    one, two = render("blue", name), render("green", name)
    assert not identities(one) & identities(two)
    assert len(one) == len(two) == len(overlay(name))


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_installation_names_its_own_namespace_and_no_other(name):
    for manifest in render("blue", name):
        if manifest["kind"] not in CLUSTER_SCOPED | {"RoleBinding"}:
            assert manifest["metadata"]["namespace"] == "blue", manifest["metadata"]["name"]
        text = yaml.safe_dump(manifest, width=10_000)
        assert "system:serviceaccount:modelswitch:" not in text, manifest["metadata"]["name"]
        assert ".modelswitch\n" not in text, manifest["metadata"]["name"]
        for subject in manifest.get("subjects", []):
            assert subject["namespace"] == "blue"


@pytest.mark.parametrize("name", OVERLAYS)
def test_without_another_name_all_is_as_the_overlay_renders_it(name):
    assert identities(render("modelswitch", name)) == identities(overlay(name))


def test_undeploy_names_all_that_is_made_for_the_whole_cluster():
    script = (KNATIVE / "undeploy.sh").read_text()
    listed = {
        kind: {
            f"modelswitch-{part}.modelswitch"
            for part in re.search(rf"^{kind}=\((.*)\)$", script, re.MULTILINE)[1].split()
        }
        for kind in ("ROLES", "POLICIES")
    }
    made = {}
    for name in OVERLAYS:
        for kind, _, name_of in identities(overlay(name)):
            made.setdefault(kind, set()).add(name_of)
    assert made["ClusterRole"] == made["ClusterRoleBinding"] == listed["ROLES"]
    assert made["ValidatingAdmissionPolicy"] == made["ValidatingAdmissionPolicyBinding"] == listed["POLICIES"]
    assert made["ConsoleLink"] == {"modelswitch.modelswitch"}
    assert '"modelswitch.$NS"' in script
    known = {*RIGHTS, "ConsoleLink", "Namespace"}
    cluster_scoped = {m["kind"] for name in OVERLAYS for m in overlay(name) if "namespace" not in m["metadata"]}
    assert cluster_scoped <= known, "undeploy.sh does not delete these"
