"""Every command leaves Redis too: as one log line and as one Kubernetes Event on its model."""

import json

import pytest
from api_rig import free_port, wait_for
from function_process import function

STOP = "dev.modelswitch.model.stop-requested.v1"


def events_of(world, name):
    items = world.cluster.get("/api/v1/namespaces/blue/events").json()["items"]
    return [
        one for one in items if one["involvedObject"]["name"] == name and one.get("reportingComponent") == "modelswitch"
    ]


def lines_of(log, name):
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [one for one in lines if one.get("action") == "command" and one.get("model", "").endswith(f"/{name}")]


@pytest.fixture
def log(world):
    """Of the API that was begun last."""
    return lambda: max(world.folder.glob("api-*.log"), key=lambda path: path.stat().st_mtime)


def test_a_stop_is_one_line_and_one_event_however_often_it_comes(world, log):
    name = world.make()
    with world.api(AUTH="none") as api:
        for _ in range(3):
            api.post(
                f"/api/v1/namespaces/blue/models/{name}/stop",
                json={"reason": "night"},
                headers={"Idempotency-Key": f"k-{name}", "X-Correlation-ID": "incident-1"},
            ).raise_for_status()
        [event] = wait_for(lambda: events_of(world, name), "the Kubernetes Event is there")
        api.post(f"/api/v1/namespaces/blue/models/{name}/stop").raise_for_status()
        wait_for(lambda: len(events_of(world, name)) == 2, "the next command has its own")
        lines = lines_of(log(), name)
    assert (event["reason"], event["type"]) == ("StopAccepted", "Normal")
    assert event["involvedObject"]["uid"] == world.get("blue", name)["metadata"]["uid"]
    assert all(word in event["message"] for word in ("stop by local", "night", f"k-{name}"))
    assert [(one["event"], one["verb"], one["actor"], one["recorded"]) for one in lines] == [
        ("changed", "stop", "local", True),
        ("unchanged", "stop", "local", True),
    ]
    assert (lines[0]["event_id"], lines[0]["channel"]) == (f"k-{name}", "rest")


def test_a_stop_without_redis_is_told_too(world, log):
    name = world.make()
    with world.api(AUTH="none", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0") as api:
        api.post(f"/api/v1/namespaces/blue/models/{name}/stop").raise_for_status()
        [event] = wait_for(lambda: events_of(world, name), "the Kubernetes Event is there")
        [line] = lines_of(log(), name)
    assert (line["event"], line["recorded"]) == ("changed", False)
    assert event["reason"] == "StopAccepted"


def test_a_refused_event_is_a_warning_and_one_about_no_model_is_a_line_alone(world, tmp_path):
    name = world.make()
    env = {"KUBECONFIG": str(world.kubeconfig), "REDIS_URL": world.redis_url}
    with function("command", tmp_path / "command.log", env) as commands:
        for subject in (name, f"no-{name}"):
            commands.send(
                STOP,
                f"namespaces/blue/inferenceservices/{subject}",
                id=f"e-{subject}",
                expirytime="2020-01-01T00:00:00Z",
            )
        lines = wait_for(lambda: lines_of(commands.log, name), "it is in the log")
    assert lines[0]["event"] != "changed"
    assert lines_of(commands.log, f"no-{name}")
    assert events_of(world, f"no-{name}") == []


def test_without_the_right_to_write_events_commands_are_done_all_the_same(world):
    """The simulated API refuses them, as for an account without that right."""
    fault = {"answer": "denied", "verb": "create", "resource": "events", "count": 100}
    world.cluster.post("/_sim/faults", json=fault).raise_for_status()
    try:
        name = world.make()
        with world.api(AUTH="none") as api:
            for verb in ("stop", "start"):
                answer = api.post(
                    f"/api/v1/namespaces/blue/models/{name}/{verb}", json={"queue": True} if verb == "start" else {}
                )
                assert answer.status_code == 202
        assert events_of(world, name) == []
    finally:
        world.cluster.delete("/_sim/faults")
