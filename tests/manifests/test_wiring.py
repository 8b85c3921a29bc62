"""Triggers, sources and bindings lead to what exists, and speak of types that exist."""

import pytest
import yaml
from contract_types import COMMANDS, FACTS, NOTIFICATIONS, PING, types_in
from rendered import KNATIVE, OVERLAYS, group_of, identity, of_kind, overlay, render

from events.artifact import ArtifactWritten
from events.commands import ReloadRequested, StartRequested, StopRequested
from functions.adapters.signature import read_secrets
from functions.local.broker.filters import compile_filters
from functions.local.broker.manifests import NOT_DEPLOYED

OBJECTS = {"com.amazonaws.ObjectCreated…", "com.amazonaws.s3.ObjectCreated…"}
STEERING = {"command", "artifact-written"}
WANTED = {
    "command": {StopRequested.type, StartRequested.type, ReloadRequested.type},
    "artifact-written": {ArtifactWritten.type, *OBJECTS},
    "pod-status": NOTIFICATIONS,
    "tick": {PING},
    "unknown-type": set(),
}
LEASE_SECONDS = 15


def references(node):
    """Every `ref` below `node`, wherever it stands."""
    if isinstance(node, dict):
        if isinstance(node.get("ref"), dict):
            yield node["ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_trigger_lets_through_exactly_the_types_of_its_function(name):
    triggers = of_kind(overlay(name), "Trigger")
    assert {t: set(types_in(m["spec"]["filters"])) for t, m in triggers.items()} == WANTED


def test_every_command_of_the_contract_has_a_trigger():
    assert set().union(*WANTED.values()) == COMMANDS | NOTIFICATIONS | {PING} | OBJECTS


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_event_of_a_type_that_no_function_takes_is_recorded(name):
    catch_all = of_kind(overlay(name), "Trigger")["unknown-type"]["spec"]
    assert catch_all["subscriber"]["ref"]["name"] == "dead-letter"
    matches = compile_filters(catch_all)
    known = COMMANDS | FACTS | NOTIFICATIONS | {PING} | {one.removesuffix("…") + ":Put" for one in OBJECTS}
    assert not [known_type for known_type in sorted(known) if matches({"type": known_type})]
    assert matches({"type": "dev.modelswitch.model.stop-requested"})
    assert matches({"type": "com.example.other"})


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_reference_leads_to_an_object_of_the_same_overlay(name):
    manifests = overlay(name)
    known = {identity(m) for m in manifests}
    for m in manifests:
        for ref in references(m.get("spec", {})):
            wanted = (group_of(ref["apiVersion"]), ref["kind"], ref["name"])
            assert wanted in known, f"{m['kind']}/{m['metadata']['name']} refers to {wanted}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_commands_end_in_the_dead_letter_sink_and_notifications_never_do(name):
    """A notification that was lost is worth nothing later: the next tick looks anyway."""
    for trigger, m in of_kind(overlay(name), "Trigger").items():
        delivery = m["spec"]["delivery"]
        sink = delivery.get("deadLetterSink")
        assert (sink["ref"]["name"] if sink else None) == ("dead-letter" if trigger in STEERING else None)
        assert delivery["timeout"] == "PT12S", trigger
    (broker,) = of_kind(overlay(name), "Broker").values()
    assert "deadLetterSink" not in broker["spec"].get("delivery", {}), "a Trigger without one would use the Broker's"


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_delivery_to_a_function_carries_the_place_of_the_delivery_secret(name):
    """deploy.sh writes the secret there; it stands in no manifest."""
    manifests = overlay(name)
    found = [(t, m["spec"]["subscriber"]) for t, m in of_kind(manifests, "Trigger").items()]
    for kind in ("Trigger", "Broker"):
        sinks = {t: m["spec"].get("delivery", {}).get("deadLetterSink") for t, m in of_kind(manifests, kind).items()}
        found += [(t, sink) for t, sink in sinks.items() if sink]
    for sender, destination in found:
        assert destination["uri"] == f"/?delivery={NOT_DEPLOYED}", sender
    assert not read_secrets(NOT_DEPLOYED), "no function takes the placeholder for a secret"


def test_commands_are_retried_until_past_the_lease_of_a_crashed_delivery():
    for trigger in sorted(STEERING):
        delivery = of_kind(render("base"), "Trigger")[trigger]["spec"]["delivery"]
        first = float(delivery["backoffDelay"].removeprefix("PT").removesuffix("S"))
        assert sum(first * 2**n for n in range(delivery["retry"])) > 4 * LEASE_SECONDS


@pytest.mark.parametrize("name", OVERLAYS)
def test_everything_that_publishes_is_bound_to_the_broker(name):
    manifests = overlay(name)
    functions, api = (of_kind(manifests, "SinkBinding")[n]["spec"]["subject"] for n in ("functions", "api"))
    label = functions["selector"]["matchLabels"].items()
    bound = {
        m["metadata"]["name"]
        for m in manifests
        if (m["apiVersion"], m["kind"]) == (functions["apiVersion"], functions["kind"])
        and label <= m["metadata"]["labels"].items()
    }
    assert bound - {"api"} == {*STEERING, "pod-status", "tick"}
    assert (api["kind"], api["name"]) == ("Deployment", "api")


def test_pods_are_watched_by_the_label_that_kserve_gives_each_kind_of_model():
    sources = of_kind(render("base"), "ApiServerSource")
    assert {s["spec"]["resources"][0]["kind"] for s in sources.values()} == {
        "InferenceService", "LLMInferenceService", "InferenceGraph",
    }  # fmt: skip
    for name, source in sources.items():
        assert source["spec"]["mode"] == "Resource", name
        watched = {"matchLabels": {"modelswitch.dev/watched": "true"}}
        assert source["spec"]["namespaceSelector"] == watched, (
            f"{name} would be rolled when any namespace comes or goes"
        )
        pods = [r for r in source["spec"]["resources"] if r["kind"] == "Pod"]
        assert len(pods) == 1 and "selector" in pods[0], f"{name} would watch every pod of the cluster"


def test_the_tick_comes_every_five_seconds():
    assert of_kind(render("base"), "PingSource")["tick"]["spec"]["schedule"] == "*/5 * * * * *"


def test_every_published_type_has_an_event_type():
    listed = KNATIVE / "base" / "eventtypes.yaml"
    types = {m["spec"]["type"] for m in yaml.safe_load_all(listed.read_text()) if m}
    assert types >= COMMANDS | FACTS
    assert types == {m["spec"]["type"] for m in of_kind(render("base"), "EventType").values()}
