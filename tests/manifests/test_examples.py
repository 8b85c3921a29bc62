"""The examples use commands and options that the command line really has, and no more rights than they need."""

import functools
import subprocess
import sys

import pytest
import yaml
from rendered import KNATIVE

from functions.adapters import smoke_test
from functions.lifecycle.observation import SMOKE_TEST_ANNOTATION

EXAMPLES = sorted((KNATIVE / "examples").rglob("*.yaml"))
RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# What tells of artifacts, or verifies, runs in namespaces of others, who may allow restricted pods only.
ARTIFACTS = [
    "argocd-postsync.yaml",
    "job-artifact.yaml",
    "pvc-watcher.yaml",
    "tekton-artifact.yaml",
    "verify-postsync.yaml",
]
GROUPS = {"publish"}
SYSTEMS = ["anomaly-detector"]  # folders that are applied as a whole, with a README of their own


def commands(node):
    """Each `modelswitch …` that a container below `node` runs, as a list of words. A value filled in later is `$(it)`."""
    if isinstance(node, dict):
        words = [*(node.get("command") or []), *(node.get("args") or [])]
        if words and words[0] == "modelswitch":
            yield [word if isinstance(word, str) else f"$({word['inputValue']})" for word in words[1:]]
        for value in node.values():
            yield from commands(value)
    elif isinstance(node, list):
        for value in node:
            yield from commands(value)


def containers(node):
    """Each container, or step of Tekton, below `node`."""
    if isinstance(node, dict):
        if "image" in node and "name" in node:
            yield node
        for value in node.values():
            yield from containers(value)
    elif isinstance(node, list):
        for value in node:
            yield from containers(value)


def manifests(file):
    return list(yaml.safe_load_all(file.read_text()))


ASKED = [(f.name, words) for f in EXAMPLES for words in commands(manifests(f))]


def test_there_are_examples_of_the_command_line():
    assert {name for name, _ in ASKED} == {
        *("cronjob-night.yaml", "job-stop.yaml", "tekton.yaml"),
        *("component.yaml", *ARTIFACTS),
        *("night.yaml", "training.yaml"),
    }


@pytest.mark.parametrize(("name", "words"), ASKED, ids=lambda value: value if isinstance(value, str) else value[0])
def test_every_option_of_an_example_exists(name, words):
    verbs = [["stop"], ["start"]] if words[0].startswith("$(") else [words[: 2 if words[0] in GROUPS else 1]]
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    for verb in verbs:
        missing = {option for option in options if option not in shown_help(*verb)}
        assert not missing, f"{name}: `modelswitch {' '.join(verb)}` has no {missing}"


@functools.cache
def shown_help(*verb):
    done = subprocess.run(
        [sys.executable, "-c", "from events.cli.main import run; run()", *verb, "--help"],
        capture_output=True, text=True, check=True, timeout=30, env={"COLUMNS": "200", "NO_COLOR": "1"},
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("name", ARTIFACTS)
def test_what_tells_of_artifacts_runs_restricted_and_reads_only(name):
    found = list(containers(manifests(KNATIVE / "examples" / name)))
    assert found
    for container in found:
        allowed = {key: value for key, value in container["securityContext"].items() if key != "runAsUser"}
        assert allowed == RESTRICTED, container["name"]
        if next(commands(container), None):
            assert all(mount.get("readOnly") for mount in container.get("volumeMounts", [])), container["name"]


def test_every_example_is_in_the_readme():
    folder = KNATIVE / "examples"
    readme = (folder / "README.md").read_text()
    notes = [note for note in folder.glob("*.md") if note.name != "README.md"]
    single = [f for f in EXAMPLES if f.relative_to(folder).parts[0] not in SYSTEMS]
    assert [f.name for f in (*single, *notes) if f"`{f.relative_to(folder)}`" not in readme] == []
    assert [name for name in SYSTEMS if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_file_of_a_whole_system_is_in_its_own_readme(name):
    folder = KNATIVE / "examples" / name
    readme = (folder / "README.md").read_text()
    files = [f for f in folder.rglob("*") if f.suffix in {".yaml", ".py"}]
    assert [str(f.relative_to(folder)) for f in files if f"`{f.relative_to(folder)}`" not in readme] == []


def test_the_smoke_tests_of_the_example_can_be_meant_so():
    found = manifests(KNATIVE / "examples" / "smoke-test.yaml")
    kinds = {m["metadata"]["name"]: m for m in found if m["kind"] in {"InferenceService", "ConfigMap"}}
    text = kinds["fraud-detector"]["metadata"]["annotations"][SMOKE_TEST_ANNOTATION]
    assert smoke_test.parse(text).expect == {"predictions": [0]}
    assert kinds["scorer"]["metadata"]["annotations"][SMOKE_TEST_ANNOTATION] == smoke_test.IN_CONFIG_MAP
    assert smoke_test.read(kinds[f"{smoke_test.PREFIX}scorer"]).path == "/v1/models/scorer:predict"
    (role,) = (m for m in found if m["kind"] == "Role")
    (rule,) = role["rules"]
    assert (rule["resourceNames"], rule["verbs"]) == ([f"{smoke_test.PREFIX}scorer"], ["get"])
    (binding,) = (m for m in found if m["kind"] == "RoleBinding")
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": name, "namespace": "modelswitch"}
        for name in ("modelswitch-lifecycle", "modelswitch-api")
    ]
