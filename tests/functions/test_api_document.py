"""What the OpenAPI document says of answers, held against the answers."""

import pytest


@pytest.fixture
def document(open_api):
    return open_api.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/healthz"])
def test_the_content_type_of_every_health_answer_is_named(open_api, document, path):
    answer = open_api.get(path)
    (named,) = document[path]["get"]["responses"]["200"]["content"]
    assert answer.headers["content-type"].partition(";")[0] == named


def test_what_is_missing_is_a_problem_that_is_named(document):
    assert "application/problem+json" in document["/healthz"]["get"]["responses"]["503"]["content"]


def test_a_name_in_several_namespaces_is_named(world, open_api, document):
    for namespace in ("blue", "green"):
        world.make(namespace, "twins", ready=False)
    assert open_api.get("/api/v1/models/twins/status").status_code == 409
    assert "409" in document["/api/v1/models/{name}/status"]["get"]["responses"]
