"""The command line against a real HTTP server: what it asks, prints, and how it exits."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version

import pytest
from cli_process import ROOT, command, environment
from rest_stand_in import StandIn, model, problem, serving


@pytest.fixture
def api():
    stand_in = StandIn()
    stand_in.put(model("fraud", "scorer"))
    stand_in.put(model("fraud", "ranker"))
    stand_in.put(model("chat", "llama", kind="LLMInferenceService"))
    stand_in.put(model("chat", "idle", state="stopped"))
    with serving(stand_in):
        yield stand_in


def test_the_installed_command_is_a_process_with_an_exit_code(api):
    done = subprocess.run(
        [sys.executable, "-m", "events.cli.main", "stop", "fraud/scorer"],
        env=environment(api.url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "fraud/scorer: stopped: 1 GPU and 8Gi freed in 2.1s\n")


def test_stop_waits_and_says_what_was_freed(api):
    done = command(api, "stop", "fraud/scorer", "--timeout", "90s", "--reason", "training")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fraud/scorer: stopped: 1 GPU and 8Gi freed in 2.1s\n"
    assert done.stderr == "fraud/scorer: stopping (1 GPU, 8Gi)…\n"
    (request,) = api.sent("POST", "/api/v1/namespaces/fraud/models/scorer/stop")
    assert request.body["timeout"] == "90s"
    assert request.body["reason"] == "training"
    assert "actor" not in request.body
    assert request.headers["idempotency-key"]


def test_stop_without_waiting_ends_at_once(api):
    done = command(api, "stop", "scorer", "-n", "fraud", "--no-wait", "--force", "--promote-canary")
    assert done.returncode == 0
    assert done.stdout.startswith("fraud/scorer: stopping")
    (request,) = api.sent("POST", "/stop")
    assert request.body["graceful"] is False
    assert request.body["promote_canary"] is True
    assert not api.sent("GET", "/status")


def test_stopping_a_stopped_model_is_done_and_says_so(api):
    done = command(api, "stop", "chat/idle")
    assert done.returncode == 0
    assert "nothing to do" in done.stdout


def test_a_name_without_namespace_is_left_to_the_server(api):
    done = command(api, "stop", "scorer", "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["status"]["state"] == "stopped"
    assert answer["changed"] is True
    assert api.sent("POST", "/api/v1/models/scorer/stop")


def test_an_ambiguous_name_names_the_candidates(api):
    api.put(model("chat", "scorer"))
    done = command(api, "stop", "scorer")
    assert done.returncode == 1
    assert "fraud/scorer" in done.stderr
    assert "chat/scorer" in done.stderr


def test_start_sends_queue_and_autoscaling_and_kind(api):
    done = command(api, "start", "chat/idle", "--queue", "--no-autoscaling", "--kind", "llmisvc")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "chat/idle: running (1 GPU, 8Gi)\n"
    (request,) = api.sent("POST", "/start")
    assert request.body["queue"] is True
    assert request.body["restore_autoscaling"] is False
    assert request.query == {"kind": "LLMInferenceService"}


def test_many_names_go_as_one_bulk_request(api):
    done = command(api, "stop", "scorer", "fraud/ranker", "fraud/ghost", "--json")
    assert done.returncode == 1
    (request,) = api.sent("POST", "/api/v1/models:stop")
    assert [one["name"] for one in request.body["models"]] == ["scorer", "ranker", "ghost"]
    assert all(one["namespace"] == "fraud" for one in request.body["models"])
    items = json.loads(done.stdout)["items"]
    assert [item["status"] and item["status"]["state"] for item in items] == ["stopped", "stopped", None]
    assert items[2]["error"]["code"] == "NotFound"


def test_a_wait_over_many_models_asks_for_lists(api):
    names = [f"m{number}" for number in range(7)]
    for name in names:
        api.put(model("bulk", name))
    done = command(api, "stop", *names, "-n", "bulk")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("stopped: 1 GPU") == 7


def test_a_name_given_twice_is_asked_for_once(api):
    assert command(api, "stop", "fraud/scorer", "scorer", "-n", "fraud", "--no-wait").returncode == 0
    assert len(api.sent("POST", "/stop")) == 1


def test_a_model_that_ends_in_error_is_exit_1(api):
    broken = model("chat", "idle", state="error", reason="ImagePullBackOff", message="no such image")
    api.override = lambda request: (200, {}, broken) if request.path.endswith("/status") else None
    done = command(api, "start", "chat/idle")
    assert done.returncode == 1
    assert done.stdout == "chat/idle: error: ImagePullBackOff - no such image\n"


def test_a_stop_that_somebody_undoes_is_exit_1_and_says_so(api):
    def undone(request):
        return (200, {}, model("fraud", "scorer", state="starting")) if request.path.endswith("/status") else None

    api.override = undone
    done = command(api, "stop", "fraud/scorer")
    assert done.returncode == 1
    assert "Another user or client requested the opposite" in done.stderr


def test_a_queued_start_is_waited_for(api):
    looks = iter(["stopping", "starting", "running"])

    def queued(request):
        if request.method == "POST":
            return 202, {}, {"status": model("fraud", "scorer", state="stopping", queued=True), "changed": True}
        state = next(looks)
        return 200, {}, model("fraud", "scorer", state=state, queued=state == "stopping")

    api.override = queued
    done = command(api, "start", "fraud/scorer", "--queue")
    assert done.returncode == 0, done.stderr
    assert "a start waits for the last pod" in done.stderr


def test_waiting_too_long_is_exit_5(api):
    api.looks = 10_000
    done = command(api, "stop", "fraud/scorer", "--wait-timeout", "300ms")
    assert done.returncode == 5
    assert "still waiting for fraud/scorer (stopping)" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("stop",),
        ("stop", "a/b/c"),
        ("stop", "Upper"),
        ("stop", "scorer", "--timeout", "soon"),
        ("stop", "scorer", "--timeout", "2h"),
        ("stop", "scorer", "--wait-timeout", "never"),
        ("stop", "scorer", "--kind", "Deployment"),
        ("stop", "scorer", "--via", "pigeon"),
        ("stop", "scorer", "--via", "broker"),
        ("list", "--state", "asleep"),
        ("list", "-l", "novalue"),
        ("publish", "event", "no-such-type", "--model", "a/b"),
        ("publish", "stop-requested", "--model", "a/b"),
        ("publish", "event", "stop-requested"),
        ("publish", "event", "stop-requested", "--model", "a/b", "--data", "{broken"),
        ("publish", "event", "stop-requested", "--model", "a/b", "--data", '{"unknown": 1}'),
        ("publish", "event", "stop-requested", "--subject", "nonsense"),
        ("publish", "event", "stop-requested", "--model", "a/b", "--data", "@/no/such/file"),
        ("frobnicate",),
    ],
)
def test_wrong_usage_is_exit_2_and_asks_nothing(api, words):
    done = command(api, *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert not api.requests


def test_nobody_there_is_exit_3():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    done = command(url, "list")
    assert done.returncode == 3
    assert "MODELSWITCH_URL" in done.stderr


def test_something_else_there_is_exit_3(api):
    api.override = lambda _: (200, {}, b"<html>a login page</html>")
    assert command(api, "list").returncode == 3
    api.override = lambda _: (404, {}, b"not found")
    done = command(api, "status", "fraud/scorer")
    assert done.returncode == 3
    assert "is not modelswitch" in done.stderr


def test_a_busy_server_is_asked_again_with_the_same_key(api):
    calls = []

    def busy_once(request):
        if request.method == "POST" and not calls:
            calls.append(request)
            return problem(503, "ClusterUnavailable", "the cluster is away", {"retry-after": "0"})
        return None

    api.override = busy_once
    assert command(api, "stop", "fraud/scorer").returncode == 0
    keys = {request.headers["idempotency-key"] for request in api.sent("POST", "/stop")}
    assert len(api.sent("POST", "/stop")) == 2
    assert len(keys) == 1


def test_a_server_that_stays_busy_is_exit_3(api):
    api.override = lambda _: problem(503, "StoreUnavailable", "Redis does not answer", {"retry-after": "60"})
    done = command(api, "start", "chat/idle", "--json")
    assert done.returncode == 3
    error = json.loads(done.stderr)
    assert error["code"] == "StoreUnavailable"
    assert error["exit_code"] == 3


@pytest.mark.parametrize("status", [401, 403])
def test_no_right_is_exit_4(api, status):
    api.override = lambda _: problem(status, "Forbidden", "you may not")
    done = command(api, "stop", "fraud/scorer")
    assert done.returncode == 4
    assert "you may not" in done.stderr
    assert "Do the next thing." in done.stderr


def test_the_token_comes_from_a_file_or_the_environment(api, tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    assert command(api, "list", "--token-file", str(tmp_path / "token")).returncode == 0
    assert command(api, "list", MODELSWITCH_TOKEN="from-environment").returncode == 0
    tokens = [request.headers["authorization"] for request in api.requests if "authorization" in request.headers]
    assert "Bearer from-file" in tokens
    assert "Bearer from-environment" in tokens
    done = command(api, "list", "--token-file", str(tmp_path / "none"))
    assert done.returncode == 4


def test_status_shows_one_model(api):
    done = command(api, "status", "chat/idle")
    assert done.returncode == 0
    assert done.stdout.startswith("chat/idle: stopped: 1 GPU and 8Gi freed in 2.1s\n")
    assert "http://idle.chat (not available)" in done.stdout
    answer = json.loads(command(api, "status", "chat/idle", "--json").stdout)
    assert answer["endpoints"] == {"inference": "http://idle.chat", "available": False}


def test_status_of_nothing_is_exit_1(api):
    done = command(api, "status", "fraud/ghost", "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert json.loads(done.stderr)["code"] == "NotFound"


def test_a_newer_servers_fields_are_ignored(api):
    api.put(model("fraud", "scorer", invented_later={"x": 1}))
    assert command(api, "status", "fraud/scorer").returncode == 0


def test_list_reads_all_pages_and_filters(api):
    items = json.loads(command(api, "list", "-A", "--json", MODELSWITCH_NAMESPACE="fraud").stdout)["items"]
    assert [item["name"] for item in items] == ["scorer", "ranker", "llama", "idle"]
    api.requests.clear()
    done = command(api, "list", "--state", "stopped", "--kind", "isvc", "-l", "team=a", MODELSWITCH_NAMESPACE="chat")
    assert "idle" in done.stdout
    assert "llama" not in done.stdout
    (request,) = api.requests
    assert request.query == {
        "namespace": "chat",
        "state": "stopped",
        "kind": "InferenceService",
        "label": "team=a",
        "limit": "500",
    }


def test_a_list_shows_its_times_with_their_zone(api):
    api.put(model("fraud", "abroad", last_transition="2026-02-01T00:30:00+01:00"))
    lines = command(api, "list", "-n", "fraud").stdout.splitlines()
    assert lines[1].endswith("2026-01-31 22:00:00Z")
    assert next(line for line in lines if " abroad " in line).endswith("2026-01-31 23:30:00Z")


def test_a_list_can_begin_with_what_needs_somebody(api):
    later = "2026-02-01T00:00:00Z"
    api.models.clear()
    for name, state, more in (
        ("a-stopped", "stopped", {}),
        ("b-running", "running", {}),
        ("c-running-with-a-reason", "running", {"reason": "ScaledToZero"}),
        ("d-starting", "starting", {}),
        ("e-error", "error", {}),
        ("f-error-since-then", "error", {"last_transition": later}),
    ):
        api.put(model("fraud", name, state, **more))

    def names(*words):
        return [one["name"][0] for one in json.loads(command(api, "list", *words, "--json").stdout)["items"]]

    assert names() == list("abcdef")
    assert names("--sort", "urgency") == list("fedcba")
    assert names("--sort", "since")[0] == "f"
    assert command(api, "list", "--sort", "mood").returncode == 2


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_told_without_a_server(option):
    done = command("http://127.0.0.1:9", option)
    assert (done.returncode, done.stdout) == (0, f"modelswitch {version('modelswitch')}\n")


def test_an_empty_list_prints_nothing_on_stdout(api):
    done = command(api, "list", "--state", "error")
    assert (done.returncode, done.stdout) == (0, "")


class Watching:
    """`modelswitch watch` as a process whose lines are waited for."""

    def __init__(self, api, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "events.cli.main", "watch", *words],
            env=environment(api.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")


def test_watch_shows_what_is_and_what_changes_across_a_lost_connection(api):
    api.cut_after = 0
    with Watching(api, "fraud/scorer") as watching:
        assert watching.line().endswith("fraud/scorer: running (1 GPU, 8Gi)")
        api.put(model("fraud", "scorer", state="stopping"))
        api.broadcast("model", model("chat", "llama", state="error"))
        api.broadcast("fact", {"id": "1"})
        api.broadcast("model", model("fraud", "scorer", state="stopping"))
        assert "fraud/scorer: stopping" in watching.line()
        api.put(model("fraud", "scorer", state="stopped"))
        api.broadcast("model", model("fraud", "scorer", state="stopped"))
        assert "fraud/scorer: stopped" in watching.line()
        streams = api.sent("GET", "/api/v1/events")
        assert streams[0].query == {"namespace": "fraud"}
        assert "last-event-id" not in streams[0].headers
        assert streams[1].headers["last-event-id"] == "0"
        watching.process.send_signal(signal.SIGINT)
        assert watching.process.wait(10) == 130


def test_watch_says_what_is_deleted_and_looks_again_after_a_gap(api):
    with Watching(api, "-n", "fraud") as watching:
        assert "fraud/scorer" in watching.line()
        assert "fraud/ranker" in watching.line()
        api.broadcast("deleted", {"namespace": "fraud", "name": "ranker", "kind": "InferenceService"})
        assert watching.line().endswith("fraud/ranker: deleted")
        del api.models["fraud", "ranker"]
        api.put(model("fraud", "scorer", state="stopped"))
        api.broadcast("reset", {"message": "history was lost"})
        assert "fraud/scorer: stopped" in watching.line()


def test_watch_as_json_gives_one_status_a_line(api):
    with Watching(api, "--json") as watching:
        names = [json.loads(watching.line())["name"] for _ in range(4)]
    assert names == ["scorer", "ranker", "llama", "idle"]


def test_watch_of_nobody_is_exit_3():
    assert command("http://127.0.0.1:9", "watch").returncode == 3


def test_interrupting_a_wait_says_that_the_stop_goes_on(api):
    api.looks = 10_000
    process = subprocess.Popen(
        [sys.executable, "-m", "events.cli.main", "stop", "fraud/scorer"],
        env=environment(api.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not api.sent("GET", "/status") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "A command that was sent continues" in stderr
    assert "Traceback" not in stderr


def test_help_names_every_exit_code_and_starts_without_heavy_imports(api):
    done = command(api, "--help")
    assert all(f"{code} " in " ".join(done.stdout.split()) for code in (0, 1, 2, 3, 4, 5, 130))
    heavy = "import sys, events.cli.main; print(sorted({'httpx', 'pydantic', 'cloudevents', 'tenacity'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "[]"


def test_commands_of_an_installed_package_are_offered(tmp_path):
    metadata = tmp_path / "extra-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: extra\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[modelswitch.commands]\nextra = extra_commands:app\n")
    (tmp_path / "extra_commands.py").write_text(
        "import typer\nfrom events.errors import ModelswitchError\napp = typer.Typer()\n@app.command()\ndef greet() -> None: print('hello')\n"
        "@app.command()\ndef fail() -> None: raise ModelswitchError('it broke', 'Repair it.')\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}

    def run(word):
        line = [sys.executable, "-m", "events.cli.main", word]
        done = subprocess.run(line, env=environ, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert run("greet") == (0, "hello\n", "")
    assert run("fail") == (1, "", "Error: it broke\nRepair it.\n"), "no error of ours ends in a traceback"


def test_shell_completion_is_there(api):
    done = command(api, _MODELSWITCH_COMPLETE="source_bash")
    assert done.returncode == 0
    assert "complete " in done.stdout
