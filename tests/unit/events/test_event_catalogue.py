"""Every type has a model, a schema, a manifest and an example, and what is generated is current."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from event_strategies import commands, facts
from hypothesis import given

from events.catalogue import MODELS, NOTIFICATIONS, schema_uri
from events.catalogue.__main__ import ROOT, generate, main, stale, write
from events.catalogue.examples import EXAMPLES, about
from events.catalogue.schemas import schema
from events.envelope import build, read
from events.wire import to_binary, to_structured


@pytest.mark.parametrize("event_type", MODELS)
def test_every_type_builds_reads_and_has_a_schema(event_type):
    example = EXAMPLES[event_type]
    assert type(example) is MODELS[event_type]
    for encode in (to_binary, to_structured):
        assert read(*encode(build(example, about(example), source="/test"))).data == example
    found = schema(event_type)
    assert found["$id"] == schema_uri(event_type)
    assert found["additionalProperties"] is False
    assert set(found["properties"]) == set(MODELS[event_type].model_fields)


@given(data=commands | facts)
def test_what_is_sent_names_only_fields_of_its_schema_and_all_that_it_requires(data):
    found = schema(data.type)
    sent = data.model_dump(mode="json")
    assert set(found.get("required", [])) <= set(sent) <= set(found["properties"])


def test_types_are_versioned_and_unlike_notifications():
    assert all(
        event_type.startswith(("dev.modelswitch.model.", "dev.modelswitch.artifact.")) and event_type.endswith(".v1")
        for event_type in MODELS
    )
    assert not set(MODELS) & set(NOTIFICATIONS)


def test_what_is_generated_in_the_repository_is_current():
    assert stale(ROOT) == [], "run: python -m events.catalogue"


def test_manifests_are_eventtypes_of_our_broker():
    documents = list(yaml.safe_load_all(generate()["knative/base/eventtypes.yaml"]))
    assert [document["spec"]["type"] for document in documents] == [*MODELS, *NOTIFICATIONS]
    for document in documents:
        assert (document["apiVersion"], document["kind"]) == ("eventing.knative.dev/v1beta2", "EventType")
        assert document["spec"]["reference"] == {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Broker",
            "name": "modelswitch",
        }
        assert document["spec"]["description"]
    stop = documents[0]["spec"]
    assert json.loads(stop["schemaData"])["$id"] == stop["schema"]


def test_the_document_names_every_type_and_field():
    text = generate()["docs/events.md"]
    for event_type, model in MODELS.items():
        assert f"### `{event_type}`" in text
        assert all(f"| `{field}` |" in text for field in model.model_fields)
    assert all(f"| `{event_type}` |" in text for event_type in NOTIFICATIONS)


def test_check_names_what_is_stale_and_writing_mends_it(tmp_path, capsys):
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "stale: docs/events.md" in capsys.readouterr().err
    assert sorted(write(tmp_path)) == sorted(generate())
    assert main(["--check", "--root", str(tmp_path)]) == 0
    (tmp_path / "docs/events.md").write_text("edited by hand")
    (tmp_path / "events/schemas/old.v0.json").write_text("{}")
    assert stale(tmp_path) == ["docs/events.md", "events/schemas/old.v0.json"]
    write(tmp_path)
    assert stale(tmp_path) == []
    assert not (tmp_path / "events/schemas/old.v0.json").exists()


def test_the_contract_is_light():
    """A pipeline step installs the base dependencies only."""
    code = (
        "import pkgutil, importlib, sys, events\n"
        "for found in pkgutil.walk_packages(events.__path__, 'events.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "heavy = {'kubernetes', 'redis', 'fastapi', 'starlette', 'yaml', 'functions_framework', 'functions', 'aiohttp'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_curl_examples_are_events_of_the_contract():
    text = Path(ROOT / "docs/events.md").read_text()
    for block in text.split("```sh\n")[1:]:
        code = block.split("```")[0]
        assert "curl" in code
        headers = {
            name.strip(): value.strip()
            for name, value in (
                line.split("-H ")[part].strip().rstrip("\\").strip().strip("'\"").split(": ", 1)
                for line in code.splitlines()
                for part in range(1, line.count("-H ") + 1)
            )
        }
        body = code.rsplit("-d '", 1)[1].rsplit("'", 1)[0].encode()
        received = read(headers, body)
        assert received.ref == about(received.data)
        assert received.data == EXAMPLES[received.type]
