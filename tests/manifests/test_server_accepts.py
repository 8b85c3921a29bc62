"""A real API server with the CRDs of KServe, Knative and OpenShift accepts every overlay and example."""

import os
import secrets
import subprocess

import pytest
import yaml
from rendered import KNATIVE, OVERLAYS, overlay

KUBECONFIG = os.environ.get("MODELSWITCH_TEST_KUBECONFIG")

pytestmark = pytest.mark.skipif(
    KUBECONFIG is None,
    reason="MODELSWITCH_TEST_KUBECONFIG names no cluster with the CRDs of KServe, Knative, Tekton and OpenShift",
)


def kubectl(*arguments, stdin=None):
    return subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, *arguments],
        input=stdin, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def namespace():
    """A dry run needs the namespace to be there; ours is nobody else's and is gone afterwards."""
    name = f"modelswitch-manifests-{secrets.token_hex(3)}"
    assert kubectl("create", "namespace", name).returncode == 0
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def refused(namespace):
    """Kinds that this cluster takes only with a feature that is off: Knative's own webhook says so of EventPolicies."""
    policy = {"apiVersion": "eventing.knative.dev/v1alpha1", "kind": "EventPolicy", "metadata": {"name": "try"}}
    policy["spec"] = {"from": [{"sub": "system:serviceaccount:try:try"}]}
    done = kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=yaml.safe_dump(policy))
    return {"EventPolicy"} if "feature not enabled" in done.stderr else set()


@pytest.fixture(scope="module")
def service_accounts(namespace):
    """Knative's own webhook tries each Service's pod, for which its ServiceAccount must be there."""
    for manifest in overlay("dev"):
        if manifest["kind"] == "ServiceAccount":
            assert kubectl("create", "serviceaccount", manifest["metadata"]["name"], "-n", namespace).returncode == 0


def dry_run(manifests, namespace, refused):
    moved = [m for m in manifests if m["kind"] not in {"Namespace", *refused}]
    for m in moved:
        if "namespace" in m["metadata"]:
            m["metadata"]["namespace"] = namespace
    text = yaml.safe_dump_all(moved)
    done = kubectl("apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(moved), done.stdout


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.usefixtures("service_accounts")
def test_the_server_accepts_the_overlay(name, namespace, refused):
    dry_run(yaml.safe_load_all(yaml.safe_dump_all(overlay(name))), namespace, refused)


@pytest.mark.parametrize("file", sorted((KNATIVE / "examples").glob("*.yaml")), ids=lambda f: f.name)
def test_the_server_accepts_the_example(file, namespace, refused):
    manifests = list(yaml.safe_load_all(file.read_text()))
    if left := [m["kind"] for m in manifests if m["kind"] in refused]:
        pytest.skip(f"a feature that this cluster has switched off is needed for {', '.join(left)}")
    dry_run(manifests, namespace, refused)
