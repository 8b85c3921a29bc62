"""Redis or the cluster away: what still works, and what the rest answers."""

import http.client
import time

import pytest
from api_rig import OPERATOR, free_port, process, wait_for


@pytest.fixture(scope="module")
def without_redis(world):
    with world.api(AUTH="none", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0") as api:
        yield api


def test_a_stop_works_without_redis_and_says_that_it_is_not_recorded(world, without_redis):
    name = world.make()
    answer = without_redis.post(f"/api/v1/namespaces/blue/models/{name}/stop", json={"reason": "fire"})
    assert (answer.status_code, answer.json()["recorded"]) == (202, False)
    assert world.annotations("blue", name)["serving.kserve.io/stop"] == "true"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/namespaces/blue/models/x/start"),
        ("GET", "/api/v1/namespaces/blue/models/x/status"),
        ("GET", "/api/v1/models"),
        ("GET", "/api/v1/audit"),
        ("GET", "/api/v1/events"),
        ("GET", "/healthz"),
    ],
)
def test_everything_else_waits_for_redis(without_redis, method, path):
    answer = without_redis.request(method, path)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "Redis" in answer.json()["detail"]


def test_the_page_says_it_too(without_redis):
    answer = without_redis.get("/")
    assert answer.status_code == 503
    assert "Redis" in answer.text


def test_without_the_cluster_everything_answers_503(world, tmp_path):
    kubeconfig = tmp_path / "kubeconfig"
    words = ["--port", "0", "--kubeconfig-out", str(kubeconfig)]
    with process("functions.local.kubernetes", *words, log=tmp_path / "gone.log"):
        wait_for(kubeconfig.exists, "the cluster wrote its kubeconfig")
    with world.api(AUTH="token", KUBECONFIG=str(kubeconfig)) as api:
        answer = api.post("/api/v1/namespaces/blue/models/x/stop", headers=OPERATOR)
        assert (answer.status_code, answer.json()["code"]) == (503, "ClusterUnavailable")
        assert answer.headers["retry-after"]
        assert "the Kubernetes API" in api.get("/healthz").json()["missing"]
        assert api.get("/livez").status_code == 200


def test_health_names_the_peer_that_is_missing(world):
    peer = f"http://127.0.0.1:{free_port()}/healthz"
    with world.api(AUTH="none", HEALTH_PEERS=peer) as api:
        answer = api.get("/healthz")
    assert (answer.status_code, answer.json()["missing"]) == (503, [peer])


def test_a_model_that_is_there_is_never_said_to_be_missing_because_its_record_was_lost(world):
    """What a look has just written can be gone when it is read. Here it is never written: a later look has come first."""
    name = world.make()
    uid = world.get("blue", name)["metadata"]["uid"]
    key, later = f"{{modelswitch}}:model:namespaces/blue/inferenceservices/{name}", 10**15
    with world.api(AUTH="none") as api:
        path = f"/api/v1/namespaces/blue/models/{name}/status"
        assert api.get(path).status_code == 200
        redis = world.redis.client()
        redis.delete(key)
        redis.hset(key, mapping={"uid": uid, "ver": later, "pver": later, "at": round(time.time() * 1000)})
        answer = api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "Busy")
        assert int(answer.headers["retry-after"]) >= 1
        redis.delete(key)
        assert api.get(path).status_code == 200


def test_a_connection_that_idles_is_not_closed_under_the_next_request(world):
    with world.api(AUTH="none") as api:
        idle = http.client.HTTPConnection(api.base_url.host, api.base_url.port)
        idle.request("GET", "/livez")
        assert idle.getresponse().read()
        idle.sock.settimeout(7)
        with pytest.raises(TimeoutError):  # all that could be read before is the connection's end
            idle.sock.recv(1)
        idle.close()


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_a_change_freeze_reaches_the_caller_in_the_clusters_words(world, open_api, verb):
    """A ValidatingAdmissionPolicy without a reason denies with 422, which a failed `test` of a patch answers too."""
    name = world.make()
    if verb == "start":
        open_api.post(f"/api/v1/namespaces/blue/models/{name}/stop", json={"graceful": False}).raise_for_status()
        wait_for(lambda: state_of(open_api, name) == "stopped", "it is stopped")
    before = world.annotations("blue", name)
    fault = {
        "answer": "denied",
        "verb": "patch",
        "resource": "inferenceservices",
        "message": "change freeze until Monday",
    }
    world.cluster.post("/_sim/faults", json=fault).raise_for_status()
    try:
        answer = open_api.post(f"/api/v1/namespaces/blue/models/{name}/{verb}")
    finally:
        world.cluster.delete("/_sim/faults")
    assert (answer.status_code, answer.json()["code"]) == (403, "PolicyRefused")
    assert "change freeze until Monday" in answer.json()["detail"]
    assert world.annotations("blue", name) == before
    (entry,) = [one for one in audited(open_api, name) if one["code"]]
    assert (entry["action"], entry["code"]) == (verb, "PolicyRefused")


def audited(api, name):
    return api.get("/api/v1/audit", params={"namespace": "blue", "name": name}).json()["items"]


def state_of(api, name):
    return api.get(f"/api/v1/namespaces/blue/models/{name}/status").json()["state"]
