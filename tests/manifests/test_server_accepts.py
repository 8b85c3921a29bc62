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


def dry_run(manifests, namespace):
    moved = [m for m in manifests if m["kind"] != "Namespace"]
    for m in moved:
        if "namespace" in m["metadata"]:
            m["metadata"]["namespace"] = namespace
    text = yaml.safe_dump_all(moved)
    done = kubectl("apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(moved), done.stdout


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_server_accepts_the_overlay(name, namespace):
    dry_run(yaml.safe_load_all(yaml.safe_dump_all(overlay(name))), namespace)


@pytest.mark.parametrize("file", sorted((KNATIVE / "examples").glob("*.yaml")), ids=lambda f: f.name)
def test_the_server_accepts_the_example(file, namespace):
    dry_run(yaml.safe_load_all(file.read_text()), namespace)
