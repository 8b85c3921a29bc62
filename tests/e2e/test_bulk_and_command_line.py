"""Many models at once, and the command line as a person uses it."""

import json

from deadlines import eventually
from kserve_models import inference_service

MODELS = 10


def test_ten_models_are_stopped_by_label_and_started_by_name(place, product):
    names = [f"model-{number}" for number in range(MODELS)]
    place.running(*(inference_service(name, labels={"team": "search"}) for name in names))
    place.running(inference_service("other", labels={"team": "fraud"}))
    body = {"selector": "team=search", "namespaces": [place.namespace], "reason": "night"}
    answer = product.rest.post("/api/v1/models:stop", json=body).json()
    assert (answer["accepted"], answer["failed"]) == (MODELS, 0)
    assert {(item["name"], item["status"], item["changed"]) for item in answer["items"]} == {
        (n, 202, True) for n in names
    }
    eventually(lambda: len(product.shown(place.namespace, state="stopped")) == MODELS, "all are stopped", 33)
    assert [name for name, _ in product.shown(place.namespace, state="running")] == ["other"]
    assert len(product.shown(place.namespace, label="team=search")) == MODELS
    assert product.shown(place.namespace, kind="InferenceGraph") == {}

    models = [{"namespace": place.namespace, "name": name} for name in [*names, "nobody"]]
    answer = product.rest.post("/api/v1/models:start", json={"models": models}).json()
    assert (answer["accepted"], answer["failed"]) == (MODELS, 1)
    assert [item["code"] for item in answer["items"] if item["status"] >= 300] == ["NotFound"]
    eventually(lambda: len(product.shown(place.namespace, state="running")) == MODELS + 1, "all run", 90)


def test_the_command_line_stops_starts_and_tells(place, product):
    place.running(inference_service("model"))
    named = ("model", "--namespace", place.namespace)
    stopped = product.cli("stop", *named, "--wait", "--json", "--reason", "night")
    assert stopped.returncode == 0, stopped.stderr
    assert place.pods("model") == []
    status = json.loads(product.cli("status", *named, "--json").stdout)
    assert (status["state"], status["holds"][0]["reason"]) == ("stopped", "night")
    assert product.cli("stop", *named).returncode == 0
    started = product.cli("start", *named, "--wait")
    assert started.returncode == 0, started.stderr
    assert place.shown("model")["state"] == "running"
    listed = product.cli("list", "--namespace", place.namespace, "--state", "running")
    assert "model" in listed.stdout


def test_the_command_line_says_by_its_exit_code_what_went_wrong(place, product):
    place.running(inference_service("model"))
    namespace = ("--namespace", place.namespace)
    missing = product.cli("stop", "nobody", *namespace)
    assert (missing.returncode, "nobody" in missing.stderr + missing.stdout) == (1, True)
    assert product.cli("stop").returncode == 2
    away = product.cli("status", "model", *namespace, "--server", "http://127.0.0.1:9")
    assert away.returncode == 3
    place.annotate("model", disable_auto_update="true")
    refused = product.cli("stop", "model", *namespace, "--json")
    assert refused.returncode == 1
    assert "StopUnsupported" in refused.stdout + refused.stderr


def test_the_command_line_can_publish_instead(place, product):
    place.running(inference_service("model"))
    sent = product.cli("stop", "model", "--namespace", place.namespace, "--via", "broker", "--wait")
    assert sent.returncode == 0, sent.stderr
    assert place.shown("model")["state"] == "stopped"
