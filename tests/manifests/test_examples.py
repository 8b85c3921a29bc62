"""The examples use commands and options that the command line really has."""

import subprocess
import sys

import pytest
import yaml
from rendered import KNATIVE

EXAMPLES = sorted((KNATIVE / "examples").glob("*.yaml"))


def commands(node):
    """Each `modelswitch …` that a container below `node` runs, as a list of words."""
    if isinstance(node, dict):
        words = [*(node.get("command") or []), *(node.get("args") or [])]
        if words and words[0] == "modelswitch":
            yield words[1:]
        for value in node.values():
            yield from commands(value)
    elif isinstance(node, list):
        for value in node:
            yield from commands(value)


ASKED = [(f.name, words) for f in EXAMPLES for words in commands(list(yaml.safe_load_all(f.read_text())))]


def test_there_are_examples_of_the_command_line():
    assert {name for name, _ in ASKED} == {"cronjob-night.yaml", "job-stop.yaml", "tekton.yaml"}


@pytest.mark.parametrize(("name", "words"), ASKED, ids=lambda value: value if isinstance(value, str) else value[0])
def test_every_option_of_an_example_exists(name, words):
    verbs = ["stop", "start"] if words[0].startswith("$(") else [words[0]]
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    for verb in verbs:
        done = subprocess.run(
            [sys.executable, "-c", "from events.cli.main import run; run()", verb, "--help"],
            capture_output=True, text=True, check=True, timeout=30, env={"COLUMNS": "200", "NO_COLOR": "1"},
        )  # fmt: skip
        missing = {option for option in options if option not in done.stdout}
        assert not missing, f"{name}: `modelswitch {verb}` has no {missing}"


def test_every_example_is_in_the_readme():
    readme = (KNATIVE / "examples" / "README.md").read_text()
    assert [f.name for f in EXAMPLES if f"`{f.name}`" not in readme] == []
