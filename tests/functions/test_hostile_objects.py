"""One object that can't be read affects its own model: the timer, lists and capacity go on for all others."""

import copy
from pathlib import Path

import pytest
import yaml
from api_rig import prepare, wait_for
from api_rig import world as a_world
from function_process import HTTP, function

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "hostile_objects.yaml").read_text())
PLURALS = {"StatefulSet": "statefulsets", "ReplicaSet": "replicasets", "ResourceQuota": "resourcequotas", "Pod": "pods"}
TENANT = "tenant"
NEIGHBOURS = (("blue", "neighbour"), ("zebra", "last"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Its own, since what is done here must not be met by other tests."""
    with a_world(tmp_path_factory.mktemp("hostile")) as made:
        for namespace in (TENANT, "zebra"):
            prepare(made.cluster, namespace)
        for namespace, name in NEIGHBOURS:
            made.make(namespace, name)
        yield made


@pytest.fixture(scope="module")
def tick(world, tmp_path_factory):
    env = {"KUBECONFIG": str(world.kubeconfig), "REDIS_URL": world.redis_url}
    with function("tick", tmp_path_factory.mktemp("tick") / "tick.log", env) as running:
        yield running


@pytest.fixture(scope="module")
def api(world):
    with world.api(AUTH="none") as client:
        yield client


def path_of(body):
    version, kind = body["apiVersion"], body["kind"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{group}/namespaces/{TENANT}/{PLURALS.get(kind, kind.lower() + 's')}"


def made_of(case):
    body = copy.deepcopy(case["object"])
    if said := dict(case.get("annotation", {})):
        times = said.pop("times")
        body["metadata"]["annotations"] |= {name: text * times for name, text in said.items()}
    if "steps" in case:
        body["spec"]["nodes"]["root"]["steps"] = [
            {"serviceName": f"member-{number}"} for number in range(case["steps"])
        ]
    return body


def ticked(tick):
    answer = tick.send("dev.knative.sources.ping", None, id="ping")
    assert answer.status_code == 202, answer.text
    return True


def states(api):
    answer = api.get("/api/v1/models")
    assert answer.status_code in {200, 503}, answer.text
    return {(one["namespace"], one["name"]): one for one in answer.json().get("items", [])}


def right(api):
    seen = states(api)
    return all(seen.get(neighbour, {}).get("state") == "running" for neighbour in NEIGHBOURS)


def others_are_served(tick, api):
    wait_for(lambda: ticked(tick) and right(api), "the neighbours' states are right")
    for path in ("/api/v1/models", "/api/v1/capacity", "/capacity", "/", "/audit"):
        answer = api.get(path)
        assert answer.status_code == 200, (path, answer.text)


def shown(api, tick, name, reason):
    def is_shown():
        return ticked(tick) and (one := states(api).get((TENANT, name))) and one["reason"] == reason and one

    return wait_for(is_shown, f"{name} shows {reason}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_an_object_that_cannot_be_read_affects_its_own_model_only(case, world, tick, api):
    body = made_of(case)
    path, name = path_of(body), body["metadata"]["name"]
    world.cluster.post(path, json=body).raise_for_status()
    try:
        others_are_served(tick, api)
        if problem := case.get("unreadable"):
            own = shown(api, tick, name, "Unreadable")
            assert own["state"] == "error"
            assert problem in own["message"]
            assert "Correct that field" in own["message"]
        world.redis.client().flushall()
        others_are_served(tick, api)
    finally:
        world.cluster.delete(f"{path}/{name}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["long-grace", "no-zone", "note-on-running"])
def test_it_can_be_stopped_and_is_then_told_to_be_stopped(name, world, tick, api):
    body = next(made_of(case) for case in CASES if case["object"]["metadata"]["name"] == name)
    body["spec"]["predictor"]["model"].pop("resources", None)  # so that its pod runs
    world.cluster.post(path_of(body), json=body).raise_for_status()
    try:
        shown(api, tick, name, "Unreadable")
        answer = api.post(f"/api/v1/namespaces/{TENANT}/models/{name}/stop", json={"reason": "broken"})
        assert answer.status_code == 202, answer.text
        assert shown(api, tick, name, "StoppedByUser")["state"] == "stopped"
    finally:
        world.cluster.delete(f"{path_of(body)}/{name}")


@pytest.mark.timeout(300)
def test_all_of_them_together(world, tick, api):
    made = sorted((made_of(case) for case in CASES), key=lambda body: body["kind"] == "ResourceQuota")
    for body in made:
        world.cluster.post(path_of(body), json=body).raise_for_status()
    world.redis.client().flushall()
    others_are_served(tick, api)
    counted = HTTP.get(f"{tick.url}/metrics").text
    assert 'modelswitch_object_errors_total{stage="pin"}' in counted
    for body in made:
        world.cluster.delete(f"{path_of(body)}/{body['metadata']['name']}")
    others_are_served(tick, api)
