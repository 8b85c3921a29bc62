"""What the documents promise holds: links lead somewhere, commands exist, paths are in the API."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from events.envelope import read
from functions.api.app import create_app
from functions.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(page):
    included = ["knative/targets.mk", "tests/faults/targets.mk", "tests/bench/targets.mk", "tests/browser/targets.mk"]
    makefiles = "".join((ROOT / name).read_text() for name in ["Makefile", *included])
    targets = set(re.findall(r"^([a-z0-9-]+):", makefiles, re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z0-9-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("line", re.findall(r"^    modelswitch (.+)$", README, re.MULTILINE))
def test_every_command_line_example_is_understood(line):
    """Against a server that is not there: 3 means that all but the connection was right."""
    words = re.findall(r'"[^"]*"|\S+', line)
    command = [sys.executable, "-m", "events.cli.main", *(word.strip('"') for word in words)]
    environment = {"MODELSWITCH_URL": "http://127.0.0.1:1", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3, ended.stderr


def test_every_path_is_in_the_api():
    paths = set(create_app(Settings(auth="none")).openapi()["paths"])
    named = set(re.findall(r"`(?:GET|POST) (/api/v1/[^`]*)`", README))
    assert named
    assert {path.replace("{ns}", "{namespace}") for path in named} <= paths


def test_every_json_example_is_json():
    examples = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert examples
    for example in examples:
        json.loads(example)


def test_the_event_example_is_an_event_of_the_contract():
    block = README[README.index("curl -i http://127.0.0.1:8081") :].split("\n\n")[0]
    headers = dict(re.findall(r"-H '([^:]+): ([^']+)'", block))
    body = re.search(r"-d '([^']*)'", block)[1]
    assert read(headers, body.encode()).ref.name == "card-fraud"
