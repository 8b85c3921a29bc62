"""What model servers say, in their own words, and what is made of it."""

import json

import pytest

from functions.adapters.answers import Reply, judge, predict_path
from functions.adapters.kserve.served import Protocol
from functions.lifecycle.observation import Answered

V1, V2, OPENAI = Protocol.V1, Protocol.V2, Protocol.OPENAI


def reply(status, document=None):
    return Reply(status, b"" if document is None else json.dumps(document).encode())


@pytest.mark.parametrize(
    ("server", "protocol", "said", "means"),
    [
        ("KServe", V1, reply(200, {"name": "m", "ready": True}), Answered.LOADED),
        ("KServe, as text", V1, reply(200, {"name": "m", "ready": "True"}), Answered.LOADED),
        ("KServe", V1, reply(404, {"error": "Model with name m does not exist."}), Answered.MISSING),
        ("KServe", V1, reply(503, {"error": "Model with name m is not ready."}), Answered.LOADING),
        ("TensorFlow", V1, reply(200, {"model_version_status": [{"state": "AVAILABLE"}]}), Answered.LOADED),
        ("TensorFlow", V1, reply(200, {"model_version_status": [{"state": "LOADING"}]}), Answered.LOADING),
        ("TensorFlow", V1, reply(404, {"error": "Servable not found for request: Latest(m)"}), Answered.MISSING),
        ("vLLM", V1, reply(404, {"detail": "Not Found"}), None),
        ("any web server", V1, reply(404, {"error": "not found"}), None),
        ("any web server", V1, reply(200, None), None),
        ("KServe", V2, reply(200, {"name": "m", "ready": True}), Answered.LOADED),
        ("KServe", V2, reply(404, {"error": "Model with name m does not exist."}), Answered.MISSING),
        ("Triton", V2, reply(200), Answered.LOADED),
        ("Triton", V2, reply(400, {"error": "Request for unknown model: 'm' is not found"}), Answered.MISSING),
        ("Triton", V2, reply(400), Answered.LOADING),
        ("nginx", V2, Reply(400, b"<html>The plain HTTP request was sent to HTTPS port</html>"), None),
        ("any web server", V1, reply(200, {"ready": True}), Answered.UNASKABLE),
        ("any web server", OPENAI, reply(200, {"data": []}), None),
        ("any web server", OPENAI, reply(200, {"data": [{"title": "x"}]}), Answered.UNASKABLE),
        ("MLServer", V2, reply(404, {"error": "Model m not found"}), Answered.MISSING),
        ("MLServer", V2, reply(400, {"error": "Model m is not ready yet"}), Answered.LOADING),
        ("vLLM", OPENAI, reply(200, {"object": "list", "data": [{"id": "m"}]}), Answered.LOADED),
        ("vLLM, another name", OPENAI, reply(200, {"object": "list", "data": [{"id": "other"}]}), Answered.LOADED),
        ("vLLM", OPENAI, reply(200, {"object": "list", "data": []}), Answered.MISSING),
        ("KServe's list", OPENAI, reply(200, {"models": ["m"]}), Answered.LOADED),
        ("KServe's list", OPENAI, reply(200, {"models": []}), Answered.MISSING),
        ("KServe's list", OPENAI, reply(200, {"models": ["other"]}), Answered.MISSING),
        ("sklearn's page", OPENAI, Reply(200, b"<html>"), None),
        ("broken JSON", V1, Reply(200, b"{"), None),
    ],
)
def test_each_server_is_understood(server, protocol, said, means):
    assert judge(protocol, said, ["m"]) is means


def test_a_server_that_was_told_no_name_may_call_its_model_as_it_likes():
    assert judge(OPENAI, reply(200, {"models": ["other"]}), ()) is Answered.LOADED


@pytest.mark.parametrize(
    ("protocol", "asked", "said", "path"),
    [
        (V1, "/v1/models/m", reply(200), "/v1/models/m:predict"),
        (V2, "/v2/models/m/ready", reply(200), "/v2/models/m/infer"),
        (OPENAI, "/v1/models", reply(200), "/v1/completions"),
        (OPENAI, "/openai/v1/models", reply(200), "/openai/v1/completions"),
        (OPENAI, "/v1/models", reply(200, {"object": "list", "data": [{"id": "x"}]}), "/v1/completions"),
        (OPENAI, "/v1/models", reply(200, {"models": ["its-own", *["m" * 100] * 100]}), "/v1/models/its-own:predict"),
        (OPENAI, "/v1/models", reply(200, {"models": ["x" * 100_000]}), ""),
        (Protocol.GRPC, "", reply(200), ""),
    ],
)
def test_the_path_of_a_prediction_follows_from_the_request_that_the_server_answered(protocol, asked, said, path):
    assert predict_path(protocol, asked, said) == path


def test_the_servers_own_words_are_shown_short():
    assert Reply(404, json.dumps({"error": "x" * 1000}).encode()).said == f"404 {'x' * 160}"
