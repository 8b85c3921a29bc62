"""Which readiness probe would have told that the model is not there."""

import json

import pytest
import yaml
from verify_seen import GRPC, LOADED, MISSING, RUNTIME, TCP, a_pod, sighting

from functions.admin.verify.judging import judge
from functions.admin.verify.readiness import advice
from functions.admin.verify.table import probes
from functions.lifecycle.observation import Answered, PodAnswer
from functions.lifecycle.prediction import Outcome, Prediction

V2 = PodAnswer(Answered.MISSING, "404 Model fraud not found", model_path="/v2/models/fraud/ready")


@pytest.mark.parametrize(
    ("probe", "now"),
    [
        (TCP, "only connects to its port"),
        (None, "is none"),
        ({"httpGet": {"path": "/v2/health/ready"}}, "asks /v2/health/ready, which does not tell of the model"),
        ({"httpGet": {"port": 8080}}, "asks /, which does not tell of the model"),
    ],
)
def test_a_probe_that_does_not_ask_for_the_model(probe, now):
    found = advice(sighting(a_pod(MISSING), probe=probe))
    assert (found.runtime, found.now) == (RUNTIME, now)


@pytest.mark.parametrize(
    "probe",
    [
        {"httpGet": {"path": "/v1/models/fraud"}},
        {"httpGet": {"path": "/v2/models/fraud/ready"}},
        {"httpGet": {"path": "/v1/models"}},
        {"exec": {"command": ["ask"]}},
    ],
)
def test_one_that_may_ask_for_it_is_left_alone(probe):
    assert advice(sighting(a_pod(MISSING), probe=probe)) is None


@pytest.mark.parametrize(
    ("answer", "names", "path"),
    [
        (MISSING, ("fraud",), "/v1/models/{{.Name}}"),
        (LOADED, ("fraud",), "/v1/models/{{.Name}}"),
        (V2, ("fraud",), "/v2/models/{{.Name}}/ready"),
        (PodAnswer(Answered.LOADED, model_path="/v1/models/its-own"), ("its-own", "fraud"), "/v1/models/its-own"),
        (PodAnswer(Answered.LOADED, model_path="/v1/models/fraud-2"), ("fraud-2", "fraud"), "/v1/models/fraud-2"),
    ],
)
def test_it_asks_as_the_server_was_asked(answer, names, path):
    found = advice(sighting(a_pod(answer), names=names))
    (container,) = yaml.safe_load(found.yaml)
    assert container["name"] == "kserve-container"
    assert container["readinessProbe"]["httpGet"] == {"path": path, "port": 8080}


@pytest.mark.parametrize("answer", [GRPC, PodAnswer(Answered.LOADED, "GET /v1/models: 200"), None])
def test_nothing_is_advised_where_the_server_speaks_neither_v1_nor_v2(answer):
    assert advice(sighting(a_pod(answer))) is None


def test_in_knative_mode_the_probe_is_in_queue_proxy():
    def knative(probe):
        variable = {"name": "SERVING_READINESS_PROBE", "value": json.dumps(probe)}
        return sighting(a_pod(MISSING), probe=None, more=[{"name": "queue-proxy", "env": [variable]}])

    assert advice(knative({"tcpSocket": {"port": 8080}})).now == "only connects to its port"
    assert advice(knative({"httpGet": {"path": "/v1/models/fraud"}})) is None


def test_a_runtime_is_told_once_and_those_of_models_that_answer_only_named():
    wrong, right = judge(sighting(a_pod(MISSING))), judge(sighting(a_pod()))
    assert sum("readinessProbe" in line for line in probes([wrong, wrong, right], every=False)) == 1
    assert list(probes([right], every=False)) == [
        f"Readiness probes that do not ask for the model: {RUNTIME} (--probes prints what to add)."
    ]
    assert any("readinessProbe" in line for line in probes([right], every=True))


def test_a_model_whose_prediction_alone_differs_is_no_reason_for_a_probe():
    bad = judge(sighting(a_pod(), prediction=Prediction(Outcome.BAD, "500 no", "p-0", "/x")))
    assert bad.wrong
    assert not any("readinessProbe" in line for line in probes([bad], every=False))


def test_one_pod_without_its_model_among_others_is_reason_enough():
    mixed = judge(sighting(a_pod(), a_pod(MISSING, "p-1")))
    assert any("readinessProbe" in line for line in probes([mixed], every=False))
