"""Stop, start and status over real HTTP, against the simulated cluster and a real Redis-protocol server."""

import pytest
from api_rig import wait_for


def path(name, verb, namespace="blue"):
    return f"/api/v1/namespaces/{namespace}/models/{name}/{verb}"


def stopped(api, name):
    return wait_for(lambda: api.get(path(name, "status")).json()["state"] == "stopped", f"{name} is stopped")


def test_a_stop_is_accepted_carried_out_and_counted(world, open_api):
    name = world.make()
    answer = open_api.post(path(name, "stop"), json={"graceful": True, "timeout": "5s", "reason": "night"})
    assert answer.status_code == 202
    content = answer.json()
    assert (content["changed"], content["recorded"], content["status"]["state"]) == (True, True, "stopping")
    assert content["status"]["holds"][0]["actor"] == "local"
    assert world.annotations("blue", name)["serving.kserve.io/stop"] == "true"
    stopped(open_api, name)
    status = open_api.get(path(name, "status")).json()
    assert status["resource_allocation"] == {"gpus": 0, "memory": "0Gi"}
    assert status["receipt"]["pods"] == 1
    assert status["receipt"]["memory"] == "512Mi"
    assert status["endpoints"]["inference"]
    assert status["endpoints"]["available"] is False


def test_the_same_direction_again_changes_nothing(world, open_api):
    name = world.make()
    assert open_api.post(path(name, "start")).json()["changed"] is False
    assert open_api.post(path(name, "stop")).status_code == 202
    again = open_api.post(path(name, "stop"))
    assert (again.status_code, again.json()["changed"]) == (200, False)


def test_a_start_while_stopping_is_refused_unless_it_may_wait(world, open_api):
    name = world.make()
    open_api.post(path(name, "stop"))
    refused = open_api.post(path(name, "start"))
    assert (refused.status_code, refused.json()["code"]) == (409, "StopInProgress")
    assert int(refused.headers["retry-after"]) >= 1
    assert open_api.post(path(name, "start"), json={"queue": True}).status_code == 202
    assert open_api.get(path(name, "status")).json()["queued"] is True


def test_an_idempotency_key_gets_the_same_answer_again(world, open_api):
    name = world.make()
    key = {"idempotency-key": f"once-{name}"}
    first = open_api.post(path(name, "stop"), headers=key)
    stopped(open_api, name)
    assert open_api.post(path(name, "start")).status_code == 202
    again = open_api.post(path(name, "stop"), headers=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "serving.kserve.io/stop" not in world.annotations("blue", name)
    other = open_api.post(path(name, "stop"), headers=key, json={"graceful": False})
    assert (other.status_code, other.json()["code"]) == (422, "IdempotencyKeyReused")


@pytest.mark.parametrize(
    ("content", "status", "code", "word"),
    [
        (b'{"graceful":', 400, "Malformed", "JSON"),
        (b"\xff\xfe", 400, "Malformed", "JSON"),
        (b"[" * 100_000, 400, "Malformed", "JSON"),
        (b'{"timeout": NaN}', 400, "Malformed", "JSON"),
        (b"[]", 422, "InvalidRequest", "object"),
        (b'{"gracefull": true}', 422, "InvalidRequest", "gracefull"),
        (b'{"timeout": "soon"}', 422, "InvalidRequest", "timeout"),
        (b'{"timeout": 1e400}', 422, "InvalidRequest", "timeout"),
        (b'{"reason": "\\ud800"}', 422, "InvalidRequest", "reason"),
        (b'{"actor": "rest:operator"}', 422, "InvalidRequest", "actor"),
        (b" " * (1024 * 1024 + 1), 413, "TooLarge", "1048576"),
    ],
)
def test_a_bad_body_is_refused_in_words_and_changes_nothing(world, open_api, content, status, code, word):
    if not hasattr(world, "untouched"):
        world.untouched = world.make(name="untouched")
    answer = open_api.post(path("untouched", "stop"), content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["code"] == code
    assert word in problem["detail"]
    assert problem["next_action"]
    assert "serving.kserve.io/stop" not in world.annotations("blue", "untouched")


@pytest.mark.parametrize(
    ("method", "place", "status"),
    [
        ("POST", "/api/v1/namespaces/blue/models/a%2Fb/stop", 404),
        ("POST", "/api/v1/namespaces/blue/models/UPPER/stop", 422),
        ("POST", "/api/v1/namespaces/blue/models/..%00/stop", 422),
        ("POST", "/api/v1/namespaces/blue/models/x/stop?kind=Pod", 422),
        ("GET", "/api/v1/namespaces/blue/models/x/stop", 405),
        ("GET", "/api/v1/namespaces/blue/models/nobody/status", 404),
        ("POST", "/api/v1/namespaces/blue/models/nobody/stop", 404),
        ("GET", "/api/v1/models/nobody/status", 404),
        ("GET", "/api/v1/models?limit=0", 422),
        ("GET", "/api/v1/models?state=asleep", 422),
        ("GET", "/api/v1/models?label=nothing", 422),
        ("GET", "/api/v1/models?colour=red", 422),
        ("GET", "/api/v1/audit?limit=many", 422),
        ("GET", "/api/v1/audit?namespace=blue&namespace=green", 422),
        ("GET", "/api/v1/models?state=running&state=stopped", 422),
        ("GET", "/api/v1/capacity?kind=isvc&kind=isvc", 422),
        ("GET", "/api/v1/events?namespace=blue&namespace=green", 422),
        ("GET", "/nowhere", 404),
        ("BREW", "/api/v1/models", 405),
    ],
)
def test_nonsense_gets_a_problem_that_says_what_to_do(open_api, method, place, status):
    answer = open_api.request(method, place)
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert answer.json()["next_action"]


@pytest.mark.parametrize("parameter", ["graceful=false", "timeout=5s", "namespace=green", "kind=isvc&kind="])
def test_what_is_no_query_parameter_is_refused_and_not_passed_over(world, open_api, parameter):
    """Somebody who forces a stop by ?graceful=false must not get a graceful one."""
    name = world.make()
    answer = open_api.post(f"{path(name, 'stop')}?{parameter}")
    assert (answer.status_code, answer.json()["code"]) == (422, "InvalidRequest")
    word = "more than once" if "&" in parameter else parameter.partition("=")[0]
    assert word in answer.json()["detail"]
    assert "serving.kserve.io/stop" not in world.annotations("blue", name)


def test_an_unusable_idempotency_key_is_refused(world, open_api):
    answer = open_api.post(path("x", "stop"), headers={"idempotency-key": "k" * 257})
    assert (answer.status_code, answer.json()["code"]) == (422, "InvalidRequest")


def test_a_name_alone_is_enough_where_it_is_unique(world, open_api):
    name = world.make()
    assert open_api.get(f"/api/v1/models/{name}/status").json()["namespace"] == "blue"
    world.make("green", name=name)
    answer = open_api.post(f"/api/v1/models/{name}/stop")
    assert (answer.status_code, answer.json()["code"]) == (409, "AmbiguousModel")
    assert [one["namespace"] for one in answer.json()["candidates"]] == ["blue", "green"]
    assert open_api.post(f"/api/v1/models/{name}/stop?namespace=green").status_code == 202
    assert "serving.kserve.io/stop" not in world.annotations("blue", name)


def test_many_models_get_an_answer_each(world, open_api):
    one, two = world.make(ready=False), world.make("green", ready=False)
    chosen = [
        {"namespace": "blue", "name": one},
        {"namespace": "green", "name": two},
        {"namespace": "blue", "name": "nobody"},
    ]
    answer = open_api.post("/api/v1/models:stop", json={"models": chosen, "reason": "night"}).json()
    assert [item["status"] for item in answer["items"]] == [202, 202, 404]
    assert (answer["accepted"], answer["failed"], answer["items"][2]["code"]) == (2, 1, "NotFound")


def test_many_models_by_label(world, open_api):
    world.synced()
    name = world.make(team="owls")
    open_api.get(path(name, "status"))
    answer = open_api.post("/api/v1/models:stop", json={"selector": "team=owls", "namespaces": ["blue"]}).json()
    assert [(item["name"], item["status"]) for item in answer["items"]] == [(name, 202)]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"models": [], "selector": "a=b"},
        {"models": [{"name": "x"}], "namespaces": ["blue"]},
        {"selector": ""},
        {"models": [{"namespace": "blue", "name": "x", "kind": "Pod"}]},
        {"models": [{"namespace": "blue", "name": f"m-{n}"} for n in range(1001)]},
        {"models": "all"},
    ],
)
def test_a_bulk_that_chooses_badly_is_refused(open_api, content):
    assert open_api.post("/api/v1/models:stop", json=content).status_code == 422


def test_lists_are_paged_filtered_and_only_shown_when_complete(world, open_api):
    names = sorted(world.make(ready=False, herd="sheep") for _ in range(3))
    for name in names:
        open_api.get(path(name, "status"))
    world.redis.client().delete("{modelswitch}:synced")
    early = open_api.get("/api/v1/models")
    assert (early.status_code, early.headers["retry-after"]) == (503, "2")
    world.synced()
    first = open_api.get("/api/v1/models", params={"label": "herd=sheep", "limit": 2}).json()
    assert ([one["name"] for one in first["items"]], first["total"]) == (names[:2], 3)
    rest = open_api.get(
        "/api/v1/models", params={"label": "herd=sheep", "limit": 2, "continue": first["continue"]}
    ).json()
    assert ([one["name"] for one in rest["items"]], rest["continue"]) == (names[2:], None)


def test_everything_comes_in_pages_that_add_up(open_api):
    whole = open_api.get("/api/v1/models", params={"limit": 500}).json()
    pages, token = [], None
    while pages == [] or token:
        page = open_api.get("/api/v1/models", params={"limit": 3, **({"continue": token} if token else {})}).json()
        pages += page["items"]
        token = page["continue"]
        assert page["total"] == whole["total"]
    assert [(one["namespace"], one["name"]) for one in pages] == [
        (one["namespace"], one["name"]) for one in whole["items"]
    ]


def test_the_actor_in_a_body_is_a_claim_beside_who_is_authenticated(world, open_api):
    name = world.make()
    answer = open_api.post(path(name, "stop"), json={"actor": "ceo@bank", "reason": "night"})
    hold = answer.json()["status"]["holds"][0]
    assert (hold["actor"], hold["claimed_actor"]) == ("local", "ceo@bank")
    [entry] = [
        item
        for item in open_api.get("/api/v1/audit", params={"namespace": "blue", "name": name}).json()["items"]
        if item["action"] == "stop"
    ]
    assert (entry["actor"], entry["claimed_actor"]) == ("local", "ceo@bank")
    shown = open_api.get(f"/models/blue/InferenceService/{name}").text
    assert "local (claims to be ceo@bank)" in shown
    assert "(claims to be ceo@bank)</span>" in open_api.get(f"/audit?show=all&q={name}").text


def test_the_history_says_who_and_why_newest_first(world, open_api):
    name = world.make()
    open_api.post(path(name, "stop"), json={"reason": "night"})
    items = open_api.get("/api/v1/audit", params={"namespace": "blue", "name": name}).json()["items"]
    assert items[0]["id"] > items[-1]["id"]
    stop = next(item for item in items if item["action"] == "stop")
    assert (stop["actor"], stop["reason"], stop["changed"]) == ("local", "night", True)
