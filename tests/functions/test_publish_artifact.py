"""`modelswitch publish artifact`: real files, a real HTTP server in the broker's place; a process of its own where one is needed."""

import contextlib
import fcntl
import json
import os
import pickle
import pty
import struct
import subprocess
import sys
import termios
import threading

import pytest
from cli_process import command, environment
from rest_stand_in import StandIn, serving
from sink_stand_in import receiving

from events.artifact import ArtifactWritten, Completeness, Strategy
from events.envelope import read
from events.errors import Impossible

NOWHERE = "http://127.0.0.1:9"
RUN = [sys.executable, "-c", "from events.cli.main import run; run()", "publish", "artifact"]
URI = "pvc://models/fraud/scorer"


@pytest.fixture
def sink():
    with receiving() as found:
        yield found


@pytest.fixture
def artifact(tmp_path):
    folder = tmp_path / "scorer"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps([1, 2, 3]))
    return folder


def publish(sink, *words):
    return command(NOWHERE, "publish", "artifact", *map(str, words), K_SINK=sink.url)


def run(words, sink):
    """As a process."""
    env = environment(NOWHERE, K_SINK=sink.url)
    return subprocess.run(words, env=env, check=False, capture_output=True, text=True, timeout=60)


def event(sink):
    (arrived,) = sink.arrived
    return read(*arrived)


def refused(done, sink, why):
    assert done.returncode == 2, done
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert sink.arrived == []


def test_a_marked_artifact_is_published_at_once(sink, artifact):
    (artifact / "_SUCCESS").touch()
    words = [
        URI, "-n", "ml", "--path", str(artifact), "--written-by", "training", "--reason", "retrained",
        "--strategy", "replace", "--id", "run-7", "--json",
    ]  # fmt: skip
    done = run([*RUN, *words], sink)
    assert done.returncode == 0, done.stderr
    received = event(sink)
    data = received.data
    assert isinstance(data, ArtifactWritten)
    assert (data.uri, data.namespace, data.size) == (URI, "ml", (artifact / "model.pkl").stat().st_size)
    assert (data.complete, data.strategy) == (Completeness.SUCCESS_FILE, Strategy.REPLACE)
    assert (data.written_by, data.reason, received.id) == ("training", "retrained", "run-7")
    assert received.ref.subject == f"namespaces/ml/artifacts/{URI}"
    assert received.expires_at is not None
    said = json.loads(done.stdout)
    assert (said["id"], said["data"]["digest"]) == ("run-7", data.digest)


def test_the_same_content_has_the_same_digest_and_another_id(sink, artifact):
    for _ in range(2):
        assert publish(sink, URI, "-n", "ml", "--path", artifact, "--stable", "0s").returncode == 0
    first, second = (read(*one) for one in sink.arrived)
    assert first.data == second.data
    assert first.id != second.id
    assert first.data.complete is Completeness.DECLARED


def test_it_waits_for_the_marker(sink, artifact):
    def finish():
        (artifact / "scaler.pkl").write_bytes(pickle.dumps("scaler"))
        (artifact / "_SUCCESS").touch()

    writer = threading.Timer(1.0, finish)
    writer.start()
    done = publish(sink, URI, "-n", "ml", "--path", artifact, "--success-file", "--wait", "30s")
    writer.join()
    assert done.returncode == 0, done.stderr
    data = event(sink).data
    assert data.complete is Completeness.SUCCESS_FILE
    assert data.size == sum(one.stat().st_size for one in artifact.iterdir())


def test_what_is_still_being_written_is_refused(sink, artifact):
    stop = threading.Event()

    def write():
        with (artifact / "model.pkl").open("ab") as out:
            while not stop.wait(0.05):
                out.write(b"more")
                out.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = publish(sink, URI, "-n", "ml", "--path", artifact, "--stable", "1s", "--wait", "2s")
    finally:
        stop.set()
        writer.join()
    refused(done, sink, "still being written")


def test_missing_empty_and_broken_artifacts_are_refused(sink, artifact):
    model = artifact / "model.pkl"
    to = (URI, "-n", "ml", "--stable", "0s", "--path")
    refused(publish(sink, *to, artifact / "gone"), sink, "does not exist")
    model.write_bytes(b"<html>a login page</html>")
    refused(publish(sink, *to, artifact), sink, "model.pkl")
    assert publish(sink, *to, artifact, "--no-format-check").returncode == 0
    sink.arrived.clear()
    model.write_bytes(b"")
    refused(publish(sink, *to, artifact), sink, "empty")
    model.unlink()
    refused(publish(sink, *to, artifact), sink, "no file")


@pytest.mark.parametrize("answer", [202, 422])
def test_another_content_than_declared_is_published_to_be_refused_and_audited(sink, artifact, answer):
    sink.answers = [(answer, {})]
    wanted = f"sha256:{'0' * 64}"
    done = publish(sink, URI, "-n", "ml", "--path", artifact, "--stable", "0s", "--digest", wanted, "--size", "5")
    assert done.returncode == 1
    assert wanted in done.stderr
    assert "audited" in done.stderr
    assert "not audited" not in done.stderr
    with pytest.raises(Impossible, match="expected sha256:0"):
        event(sink)
    data = json.loads(sink.arrived[0][1])
    assert (data["expected_digest"], data["expected_size"]) == (wanted, 5)
    assert data["digest"] != wanted
    assert data["size"] == (artifact / "model.pkl").stat().st_size


def test_what_is_as_declared_is_published_at_once(sink, artifact):
    (artifact / "_SUCCESS").touch()
    publish(sink, URI, "-n", "ml", "--path", artifact)
    found = event(sink).data
    sink.arrived.clear()
    (artifact / "_SUCCESS").unlink()
    declared = ("--digest", found.digest, "--size", found.size)
    assert publish(sink, URI, "-n", "ml", "--path", artifact, "--stable", "1h", *declared).returncode == 0
    assert event(sink).data.complete is Completeness.DECLARED


def test_without_a_path_the_sender_says_it_all(sink):
    declared = ("--digest", "etag:37b51d194a75", "--size", "12")
    assert publish(sink, "s3://bucket/fraud/", *declared).returncode == 0
    data = event(sink).data
    assert (data.uri, data.namespace, data.digest, data.size) == ("s3://bucket/fraud", None, "etag:37b51d194a75", 12)
    assert data.complete is Completeness.DECLARED


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((URI, "-n", "ml"), "--digest and --size"),
        ((URI, "-n", "ml", "--size", "5"), "--digest and --size"),
        ((URI, "--path", "/tmp"), "--namespace"),
        (("ftp://host/x", "--path", "/tmp"), "scheme"),
        (("pvc://models/../x", "-n", "ml", "--path", "/tmp"), ".."),
        ((URI, "-n", "Not A Namespace", "--path", "/tmp"), "namespace"),
        ((URI, "-n", "ml", "--path", "/tmp", "--digest", "etag:1"), "sha256"),
        ((URI, "-n", "ml", "--digest", "nonsense", "--size", "1"), "digest"),
        ((URI, "-n", "ml", "--path", "/tmp", "--stable", "soon"), "--stable"),
        ((URI, "-n", "ml", "--path", "/tmp", "--strategy", "maybe"), "strategy"),
    ],
)
def test_wrong_usage_is_exit_2_and_publishes_nothing(sink, words, why):
    refused(publish(sink, *words), sink, why)


def test_nobody_there_is_exit_3_and_a_mismatch_then_says_that_it_is_not_audited(sink, artifact):
    sink.answers = [(503, {"retry-after": "3600"})] * 2
    to = (URI, "-n", "ml", "--path", artifact, "--stable", "0s")
    assert publish(sink, *to).returncode == 3
    done = publish(sink, *to, "--size", "5")
    assert done.returncode == 1
    assert "not audited" in done.stderr


def test_it_needs_nothing_of_kubernetes_redis_or_a_server(sink, artifact):
    """A pipeline's image has the base dependencies only."""
    forbidden = ["kubernetes", "redis", "fastapi", "starlette", "functions_framework", "aiohttp", "yaml"]
    code = f"import sys; sys.modules.update(dict.fromkeys({forbidden!r})); from events.cli.main import run; run()"
    words = ["publish", "artifact", URI, "-n", "ml", "--path", str(artifact), "--stable", "0s"]
    done = run([sys.executable, "-c", code, *words], sink)
    assert done.returncode == 0, done.stderr
    assert event(sink).data.uri == URI


def test_publish_event_takes_it_as_any_other_event(sink):
    data = {"uri": URI, "namespace": "ml", "digest": f"sha256:{'a' * 64}", "size": 3}
    words = ("publish", "event", "artifact.written", "--data", json.dumps(data))
    assert command(NOWHERE, *words, K_SINK=sink.url).returncode == 0
    assert event(sink).ref.subject == f"namespaces/ml/artifacts/{URI}"
    sink.arrived.clear()
    refused(command(NOWHERE, *words, "--model", "ml/scorer", K_SINK=sink.url), sink, "--model")


def test_at_a_terminal_a_bar_shows_how_far_it_has_read(sink, artifact):
    with (artifact / "weights.xyz").open("wb") as out:
        out.truncate(300 * 1024**2)
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    env = environment(NOWHERE, K_SINK=sink.url, TERM="xterm")
    words = [*RUN, URI, "-n", "ml", "--path", str(artifact), "--stable", "0s"]
    process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # a terminal whose other side is closed
        while chunk := os.read(screen, 65536):
            shown += chunk
    os.close(screen)
    assert process.wait(60) == 0
    assert b"314.6 MB" in shown


def entry(sink, **fields):
    sent = event(sink)
    return {"source": sent.source, "event_id": sent.id, "action": "artifact-written", "code": None, **fields}


def confirmed(sink, answers, *words):
    """With an API whose history grows: `answers` are the entries of each look, the last again and again."""
    looks = []

    def history(request):
        if request.path != "/api/v1/audit":
            return None
        looks.append(request)
        return 200, {}, {"items": answers(sink)[min(len(looks), len(answers(sink))) - 1]}

    with serving(StandIn(override=history)) as api:
        return command(api, "publish", "artifact", *TOLD, "--confirm", "20s", *words, K_SINK=sink.url), looks


TOLD = ("s3://models/scorer", "--digest", "etag:1", "--size", "1")


def test_confirm_says_which_models_load_it_once_the_history_does(sink):
    message = "s3://models/scorer (etag:1, declared) is loaded by scorer"
    other = {"source": "/other", "event_id": "1", "message": "another", "code": "Refused"}
    done, looks = confirmed(sink, lambda sink: [[], [other], [entry(sink, message=message), other]])
    assert (done.returncode, len(looks)) == (0, 3), done.stderr
    assert message in done.stdout


def test_confirm_ends_with_1_where_no_model_loads_it_and_says_why(sink):
    message = "s3://models/scorer (etag:1, declared) is loaded by no model"
    done, _ = confirmed(sink, lambda sink: [[entry(sink, message=message, code="Refused")]])
    assert (done.returncode, message in done.stderr) == (1, True)
    assert "storageUri" in done.stderr
    sink.arrived.clear()
    done, _ = confirmed(sink, lambda sink: [[entry(sink, message=message, code="Refused")]], "--json")
    assert (done.returncode, json.loads(done.stderr)["code"]) == (1, "Refused")


def test_confirm_ends_with_5_where_nothing_is_heard_of_it(sink):
    done, looks = confirmed(sink, lambda _sink: [[]], "--confirm", "0s")
    assert (done.returncode, len(looks)) == (5, 1)


def test_without_confirm_no_api_is_needed(sink):
    assert command(NOWHERE, "publish", "artifact", *TOLD, K_SINK=sink.url).returncode == 0
