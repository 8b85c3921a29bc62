"""Beside the next version, or after it was rolled back: what it wrote into Redis ends nothing."""

import json
from datetime import UTC, datetime

import pytest
from api_rig import wait_for
from function_process import function

NEXT = {
    "schema": 2,
    "state": "parked",
    "holds": [{"kind": "schedule", "actor": "policy:weekend", "since": "2026-11-27T20:00:00Z", "window": "weekend"}],
    "pods": {"u1": {"name": "p", "gpus": 1, "memory": 1, "zone": "a"}},
}
ENTRY = {
    "schema": 2,
    "time": "2026-11-27T20:00:00Z",
    "action": "park",
    "actor": "policy:weekend",
    "verified_by": "oidc",
}
HOSTILE = (
    "x",
    "[]",
    "[" * 100_000,
    '{"ref": {"namespace": "blue", "name": "m", "kind": "Unheard"}}',
    '{"memory": 1e999}',
)


@pytest.fixture(scope="module")
def tick(world, tmp_path_factory):
    env = {"KUBECONFIG": str(world.kubeconfig), "REDIS_URL": world.redis_url, "K_SINK": "http://127.0.0.1:1"}
    with function("tick", tmp_path_factory.mktemp("tick") / "tick.log", env) as running:
        yield lambda: running.send("dev.knative.sources.ping", None, id="ping")


@pytest.fixture
def redis(world):
    return world.redis.client()


def key_of(name):
    return f"{{modelswitch}}:model:namespaces/blue/inferenceservices/{name}"


def known(world, api):
    """A model that has a record."""
    name = world.make()
    world.synced()
    api.get(f"/api/v1/namespaces/blue/models/{name}/status").raise_for_status()
    return name


def everything_answers(api, name):
    for path in (
        "/api/v1/models?limit=1000",
        "/api/v1/capacity",
        "/api/v1/audit",
        f"/api/v1/audit?namespace=blue&name={name}",
        "/",
        "/capacity",
        "/audit",
        "/audit?show=all",
        f"/models/blue/InferenceService/{name}",
        f"/api/v1/namespaces/blue/models/{name}/status",
    ):
        answer = api.get(path)
        assert answer.status_code == 200, (path, answer.text[:500])


def test_a_record_of_the_next_version_is_listed_stopped_and_ticked(world, open_api, tick, redis):
    name = known(world, open_api)
    record = json.loads(redis.hget(key_of(name), "doc")) | NEXT
    redis.hset(key_of(name), "doc", json.dumps(record))
    states = {one["name"]: one["state"] for one in open_api.get("/api/v1/models?limit=1000").json()["items"]}
    assert states[name] == "unknown"
    everything_answers(open_api, name)
    redis.hset(key_of(name), "doc", json.dumps(record))
    assert tick().status_code == 202
    redis.hset(key_of(name), "doc", json.dumps(record))
    answer = open_api.post(f"/api/v1/namespaces/blue/models/{name}/stop")
    assert answer.status_code == 202, answer.text
    assert world.annotations("blue", name)["serving.kserve.io/stop"] == "true"


@pytest.mark.parametrize("text", [*HOSTILE, json.dumps(NEXT)], ids=range(len(HOSTILE) + 1))
def test_what_can_t_be_read_counts_as_absent_until_the_cluster_was_asked_again(world, open_api, tick, redis, text):
    name = known(world, open_api)
    redis.hset(key_of(name), mapping={"doc": text, "plan": text})
    answer = open_api.get("/api/v1/models?limit=1000")
    assert answer.status_code == 200, answer.text[:500]
    assert tick().status_code == 202
    everything_answers(open_api, name)
    redis.hset(key_of(name), mapping={"doc": text, "plan": text})
    answer = open_api.post(f"/api/v1/namespaces/blue/models/{name}/stop")
    assert answer.status_code == 202, answer.text
    wait_for(
        lambda: open_api.get(f"/api/v1/namespaces/blue/models/{name}/status").json()["state"] == "stopped", "stopped"
    )


def test_history_and_outbox_of_the_next_version_hide_and_hold_up_nothing(world, open_api, tick, redis):
    name = known(world, open_api)
    subject = f"namespaces/blue/inferenceservices/{name}"
    for text in (json.dumps(ENTRY), json.dumps(ENTRY | {"ref": subject}), *HOSTILE):
        for stream in ("audit", "history", "history:blue", "refusals:blue", "changes", "outbox", "outbox:f.blue"):
            redis.xadd(f"{{modelswitch}}:{stream}", {"d": text})
    redis.zadd("{modelswitch}:outboxes", {"f.blue": 1})
    later = {"id": "x", "subject": subject, "type": "dev.modelswitch.model.parked.v2", "data": {}}
    redis.xadd("{modelswitch}:outbox", {"d": json.dumps(later | {"time": datetime.now(UTC).isoformat()})})
    redis.hset("{modelswitch}:resync", "doc", json.dumps({"schema": 2, "kind": 99, "wave": [1]}))
    redis.zadd("{modelswitch}:due", {"namespaces/blue/parkings/new": 1})
    redis.zadd("{modelswitch}:models", {"namespaces/blue/parkings/new": 0})
    everything_answers(open_api, name)
    assert tick().status_code == 202
    everything_answers(open_api, name)
    assert "policy:weekend" in open_api.get("/audit?show=all").text
    redis.zrem("{modelswitch}:models", "namespaces/blue/parkings/new")
