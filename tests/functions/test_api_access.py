"""Who may: tokens and access reviews answered by the simulated cluster; browsers of other sites; the loopback rule."""

import os
import subprocess
import sys

import pytest
from api_rig import BOSS, OPERATOR, ROOT, STRANGER


def stop(api, namespace, name, **headers):
    return api.post(f"/api/v1/namespaces/{namespace}/models/{name}/stop", headers=headers)


@pytest.mark.parametrize(
    "authorization", [None, "Bearer stranger", "Bearer", "Basic YW5uOmFubg==", "Bearer a b", "Bearer \x7f"]
)
def test_without_a_known_token_nobody_gets_in(token_api, authorization):
    headers = {"authorization": authorization} if authorization else {}
    for method, path in [
        ("POST", "/api/v1/namespaces/blue/models/x/stop"),
        ("GET", "/api/v1/models?limit=nonsense"),
        ("GET", "/api/v1/events"),
        ("GET", "/api/v1/audit"),
    ]:
        answer = token_api.request(method, path, headers=headers, content=b"{" if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (401, "Unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_headers_that_name_a_user_count_for_nothing(token_api):
    headers = {"X-Forwarded-User": "root", "X-Remote-User": "root", "Impersonate-User": "root"}
    assert stop(token_api, "blue", "x", **headers).status_code == 401
    assert stop(token_api, "green", "x", **STRANGER, **headers).status_code == 403


def test_forbidden_is_said_before_existence_is_revealed(world, token_api):
    there = world.make("green", ready=False)
    answers = [stop(token_api, "green", name, **STRANGER) for name in (there, "nobody")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json()["detail"].replace(there, "") == answers[1].json()["detail"].replace("nobody", "")
    assert stop(token_api, "green", "nobody", **OPERATOR).status_code == 404
    assert "serving.kserve.io/stop" not in world.annotations("green", there)


def test_the_actor_is_who_is_authenticated(world, token_api):
    name = world.make()
    assert stop(token_api, "blue", name, **STRANGER).json()["status"]["holds"][0]["actor"] == "stranger"


def test_lists_history_and_names_show_only_what_the_caller_may_read(world, token_api):
    name = world.make("green", ready=False)
    token_api.get(f"/api/v1/namespaces/green/models/{name}/status", headers=BOSS).raise_for_status()
    world.synced()
    seen = {
        who: [one["name"] for one in token_api.get("/api/v1/models", headers=headers).json()["items"]]
        for who, headers in (("operator", OPERATOR), ("stranger", STRANGER))
    }
    assert name in seen["operator"]
    assert name not in seen["stranger"]
    assert token_api.get("/api/v1/models?namespace=green", headers=STRANGER).status_code == 403
    assert token_api.get("/api/v1/audit?namespace=green", headers=STRANGER).status_code == 403
    assert token_api.get(f"/api/v1/models/{name}/status", headers=OPERATOR).status_code == 200
    assert token_api.get(f"/api/v1/models/{name}/status", headers=STRANGER).status_code == 404
    entries = token_api.get("/api/v1/audit?limit=1000", headers=STRANGER).json()["items"]
    assert {entry["namespace"] for entry in entries} <= {"blue"}


def test_in_bulk_each_model_is_judged_by_itself(world, token_api):
    mine, other = world.make(ready=False), world.make("green", ready=False)
    chosen = {"models": [{"namespace": "blue", "name": mine}, {"namespace": "green", "name": other}]}
    items = token_api.post("/api/v1/models:stop", json=chosen, headers=STRANGER).json()["items"]
    assert [(item["status"], item["code"]) for item in items] == [(202, None), (403, "Forbidden")]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "http://[evil"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_can_do_nothing(world, open_api, headers):
    answer = open_api.post("/api/v1/namespaces/blue/models/x/stop", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "Forbidden")
    if "host" in headers:
        assert open_api.get("/", headers=headers).status_code == 403


def test_this_page_and_local_names_are_served(open_api):
    port = open_api.base_url.port
    for host in ("localhost", "127.0.0.1", "[::1]", "127.8.8.8"):
        own = {"host": f"{host}:{port}", "origin": f"http://{host}:{port}", "sec-fetch-site": "same-origin"}
        assert open_api.post("/api/v1/namespaces/blue/models/nobody/stop", headers=own).status_code == 404


def test_no_authentication_is_only_for_the_loopback():
    environment = {**os.environ, "AUTH": "none", "HOST": "0.0.0.0"}
    ended = subprocess.run(
        [sys.executable, "-m", "functions.api"],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 1
    assert "AUTH=none" in ended.stderr
    assert "Traceback" not in ended.stderr
