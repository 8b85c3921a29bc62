"""`make deploy` and `make image` say what is missing and what to do, before they change anything."""

import os
import shutil
import subprocess

import pytest
from rendered import KNATIVE, OVERLAYS

TOOLS = ("bash", "dirname", "env", "cat", "tr", "grep", "mkdir", "od", "base64", "cut")


@pytest.fixture
def only_basics(tmp_path):
    """A PATH with a shell's own tools and neither kubectl nor a builder."""
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(shutil.which(tool))
    return str(tmp_path)


def script(name, path, **env):
    return subprocess.run(
        ["bash", str(KNATIVE / name)],
        env={"PATH": path, "HOME": os.environ["HOME"], **env},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_deploy_names_the_overlays_that_there_are(only_basics):
    done = script("deploy.sh", only_basics, OVERLAY="staging", IMAGE="x:1")
    assert done.returncode == 1
    assert "no overlay 'staging'" in done.stderr
    assert "|".join(OVERLAYS) in done.stderr


def test_deploy_asks_for_an_image(only_basics):
    done = script("deploy.sh", only_basics, OVERLAY="dev")
    assert (done.returncode, "IMAGE is not set" in done.stderr, "make image" in done.stderr) == (1, True, True)


@pytest.mark.parametrize("name", ["deploy.sh", "undeploy.sh"])
def test_a_missing_kubectl_is_said(name, only_basics):
    done = script(name, only_basics, IMAGE="x:1")
    assert (done.returncode, "kubectl is not on the PATH" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["deploy.sh", "undeploy.sh"])
def test_a_cluster_that_does_not_answer_is_said(name, tmp_path):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the PATH: install it to run this test")
    done = script(name, os.environ["PATH"], IMAGE="x:1", KUBECONFIG=str(tmp_path / "none"))
    assert (done.returncode, "no answer from the cluster" in done.stderr) == (1, True)


def test_image_names_the_builders_that_would_do(only_basics):
    done = script("image.sh", only_basics)
    assert done.returncode == 1
    assert "podman, docker (with its engine running) or buildah" in done.stderr


def test_a_docker_client_without_its_engine_is_no_builder(only_basics, tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    done = script("image.sh", only_basics)
    assert (done.returncode, "building" in done.stdout) == (1, False)


KUBECTL = """
kubectl() {
    case "$*" in
        "get crd inferencegraphs.serving.kserve.io") return 1 ;;
        "get inferenceservices.serving.kserve.io -A "*) printf 'blue\\nred\\nblue\\n' ;;
        "get llminferenceservices.serving.kserve.io -A "*) printf 'chat\\n' ;;
        "get namespace red "*) printf 'false' ;;
        "label "*) echo "$@" ;;
    esac
}
"""


@pytest.mark.parametrize(("selects", "labelled"), [("modelswitch.dev/watched", ["blue", "chat"]), ("other", [])])
def test_deploy_labels_namespaces_that_have_models_and_leaves_one_that_says_otherwise(tmp_path, selects, labelled):
    """Its function, with a kubectl that knows three namespaces of models; only where the sources select by that label."""
    text = (KNATIVE / "deploy.sh").read_text()
    function = text[text.index("label_namespaces() {") : text.index("console_link() {")]
    (tmp_path / ".run/deploy").mkdir(parents=True)
    (tmp_path / ".run/deploy/rendered.yaml").write_text(f'matchLabels:\n  {selects}: "true"\n')
    command = f"set -euo pipefail\n{KUBECTL}{function}label_namespaces"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"label namespace {name} modelswitch.dev/watched=true" for name in labelled]
