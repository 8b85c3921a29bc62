"""`modelswitch publish event` and `--via broker` against a real HTTP server in the broker's place."""

import json

import pytest
from cli_process import command
from rest_stand_in import StandIn, model, serving
from sink_stand_in import receiving

from events.commands import StartRequested, StopRequested
from events.envelope import read
from events.facts import ModelStarted
from events.model import Kind

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def sink():
    with receiving() as found:
        yield found


def test_publish_sends_an_event_of_the_contract(sink, tmp_path):
    (tmp_path / "data.json").write_text('{"timeout": "90s"}')
    done = command(
        NOWHERE,
        "publish",
        "event",
        "stop-requested",
        "--model",
        "fraud/scorer",
        "--data",
        f"@{tmp_path}/data.json",
        "--id",
        "42",
        "--source",
        "/ci",
        "--correlation-id",
        "run-7",
        K_SINK=sink.url,
    )
    assert done.returncode == 0, done.stderr
    assert "id 42" in done.stdout
    received = read(*sink.arrived[0])
    assert (received.id, received.source, received.correlation_id) == ("42", "/ci", "run-7")
    assert received.data == StopRequested(timeout="90s")
    assert str(received.ref) == "InferenceService fraud/scorer"
    assert received.expires_at is not None


def test_publish_reads_stdin_and_takes_a_subject_and_an_event(sink):
    done = command(
        NOWHERE,
        "publish",
        "event",
        ModelStarted.type,
        "--subject",
        "namespaces/a/inferencegraphs/b",
        "-d",
        "@-",
        "--json",
        "--sink",
        sink.url,
        stdin='{"actor": "operator", "seconds": 2}',
    )
    assert done.returncode == 0, done.stderr
    received = read(*sink.arrived[0])
    assert json.loads(done.stdout)["id"] == received.id
    assert received.data == ModelStarted(actor="operator", seconds=2)
    assert received.ref.kind is Kind.INFERENCE_GRAPH


@pytest.mark.parametrize(("status", "code"), [(400, 1), (422, 1), (401, 4), (403, 4)])
def test_what_the_broker_refuses_decides_the_exit_code(sink, status, code):
    sink.answers = [(status, {})]
    done = command(NOWHERE, "publish", "event", "start-requested", "--model", "a/b", "--sink", sink.url)
    assert done.returncode == code
    assert sink.url in done.stderr


def test_a_broker_that_stays_busy_is_exit_3(sink):
    sink.answers = [(503, {"retry-after": "3600"})]
    done = command(NOWHERE, "publish", "event", "start-requested", "--model", "a/b", "--sink", sink.url)
    assert done.returncode == 3


def test_stop_via_broker_publishes_one_command_per_model_and_needs_no_api(sink):
    done = command(
        NOWHERE,
        "stop",
        "a",
        "other/b",
        "-n",
        "fraud",
        "--via",
        "broker",
        "--force",
        "--reason",
        "why",
        "--sink",
        sink.url,
    )
    assert done.returncode == 0, done.stderr
    received = [read(*one) for one in sink.arrived]
    assert [str(one.ref) for one in received] == ["InferenceService fraud/a", "InferenceService other/b"]
    assert all(one.data.graceful is False and one.data.reason == "why" and one.data.actor for one in received)
    assert received[0].id != received[1].id


def test_start_via_broker_can_wait_over_rest_until_the_command_has_been_heard(sink):
    stand_in = StandIn()
    looks = iter(["stopped", "stopped", "starting", "running"])
    stand_in.put(model("fraud", "scorer"))
    stand_in.override = lambda _: (200, {}, model("fraud", "scorer", state=next(looks)))
    with serving(stand_in):
        done = command(stand_in, "start", "fraud/scorer", "--via", "broker", "--wait", "--sink", sink.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("fraud/scorer: running (1 GPU, 8Gi)\n")
    assert read(*sink.arrived[0]).data.type == StartRequested.type


def test_an_error_from_before_the_command_does_not_end_the_wait_but_one_after_it_does(sink):
    stand_in = StandIn()
    stand_in.put(model("fraud", "scorer"))
    before = model("fraud", "scorer", state="error", reason="CrashLoopBackOff")
    after = {**before, "desired": "stopped", "reason": "ClusterRefused"}
    looks = iter([before, before, after])
    stand_in.override = lambda _: (200, {}, next(looks))
    with serving(stand_in):
        done = command(stand_in, "stop", "fraud/scorer", "--via", "broker", "--wait", "--sink", sink.url)
    assert done.returncode == 1
    assert "ClusterRefused" in done.stdout
