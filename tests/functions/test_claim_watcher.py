"""`modelswitch watch-claim` as the process that a ContainerSource runs: real files, a real HTTP server as its sink."""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_process import environment
from sink_stand_in import receiving

from events.artifact import Completeness
from events.envelope import read

NOWHERE = "http://127.0.0.1:9"
OVERRIDES = json.dumps({"extensions": {"cluster": "lab"}})


@pytest.fixture
def sink():
    with receiving() as found:
        yield found


@contextlib.contextmanager
def watching(sink, root, *words):
    run = "from events.cli.main import run; run()"
    command = [
        sys.executable, "-c", run, "watch-claim", "--claim", "models", "--namespace", "ml", "--path", str(root),
        "--every", "100ms", "--stable", "500ms", *words,
    ]  # fmt: skip
    env = environment(NOWHERE, K_SINK=sink.url, K_CE_OVERRIDES=OVERRIDES)
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds}s for {what}"
        time.sleep(0.02)


def model(root, name, value=(1, 2), *, marked=True):
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.pkl").write_bytes(pickle.dumps(value))
    if marked:
        (folder / "_SUCCESS").touch()
    return folder


def events(sink):
    return [read(*one) for one in list(sink.arrived)]


def of(sink, name):
    return [one for one in events(sink) if one.data.uri == f"pvc://models/{name}"]


def test_each_new_content_is_told_of_once_and_a_half_written_one_never(sink, tmp_path):
    model(tmp_path, "a", marked=False)
    growing = model(tmp_path, "b", marked=False) / "model.pkl"
    whole = growing.read_bytes()
    growing.write_bytes(whole[:5])
    with watching(sink, tmp_path):
        until(lambda: of(sink, "a"), "what was there")
        for _ in range(15):  # longer than the 500 ms that a finished one takes
            with growing.open("ab") as out:
                out.write(b"x")
            time.sleep(0.1)
        assert of(sink, "b") == []
        growing.write_bytes(whole)
        (growing.parent / "_SUCCESS").touch()
        until(lambda: of(sink, "b"), "the one that is written at last")
        model(tmp_path, "a", (3, 4), marked=False)
        until(lambda: len(of(sink, "a")) == 2, "the second content")
    first, second = of(sink, "a")
    assert first.data.complete is Completeness.STABLE
    assert first.data.digest != second.data.digest
    (only,) = of(sink, "b")
    assert (only.data.complete, only.data.namespace) == (Completeness.SUCCESS_FILE, "ml")
    headers = sink.arrived[0][0]
    assert (headers["ce-source"], headers["ce-cluster"]) == ("/modelswitch/claims/ml/models", "lab")
    assert first.ref.subject == "namespaces/ml/artifacts/pvc://models/a"


def test_a_restart_repeats_the_same_events(sink, tmp_path):
    model(tmp_path, "a")
    model(tmp_path, "b")
    for count in (2, 4):
        with watching(sink, tmp_path):
            until(lambda count=count: len(sink.arrived) == count, "two events")
    ids = [one.id for one in events(sink)]
    assert sorted(ids[:2]) == sorted(ids[2:])
    assert len(set(ids)) == 2


def test_what_a_sink_that_is_away_did_not_take_arrives_when_it_is_back(tmp_path):
    with receiving() as gone:
        pass
    model(tmp_path, "a")
    with watching(gone, tmp_path) as process:
        assert "1 events wait" in process.stderr.readline()
        model(tmp_path, "b")
        with receiving(port=int(gone.url.rpartition(":")[2])) as back:
            until(lambda: of(back, "a") and of(back, "b"), "what waited", 40)
        assert "takes events again" in process.stderr.readline()


def test_of_what_waits_only_the_newest_is_sent(sink, tmp_path):
    sink.answers = [(503, {"retry-after": "3600"})] * 1000
    model(tmp_path, "a")
    with watching(sink, tmp_path):
        until(lambda: len(sink.arrived) > 1, "an event that is sent again")
        old = events(sink)[0]
        model(tmp_path, "a", (3, 4))
        until(lambda: events(sink)[-1].id != old.id, "the second content")
        since = len(sink.arrived)
        sink.answers.clear()
        model(tmp_path, "b")
        until(lambda: of(sink, "b"), "another artifact's")
        assert old.id not in {one.id for one in events(sink)[since:]}


@pytest.mark.parametrize(("status", "times"), [(503, 2), (403, 2), (422, 1)])
def test_what_may_work_later_is_sent_again_and_what_never_will_is_not(sink, tmp_path, status, times):
    sink.answers = [(status, {"retry-after": "3600"})]
    model(tmp_path, "a")
    with watching(sink, tmp_path):
        until(lambda: sink.arrived, "the first event")
        model(tmp_path, "b")
        until(lambda: of(sink, "b"), "another artifact's", 30)
        assert len(of(sink, "a")) == times


@pytest.mark.parametrize("moment", ["waiting", "reading", "sending"])
def test_sigterm_ends_it_at_once(sink, tmp_path, moment):
    if moment == "reading":
        with (model(tmp_path, "a", marked=False) / "weights.xyz").open("wb") as out:
            out.truncate(20 * 1024**3)
        (tmp_path / "a/_SUCCESS").touch()
    elif moment == "sending":
        sink.answers = [(503, {"retry-after": "1"})] * 100
        model(tmp_path, "a")
    with watching(sink, tmp_path, *(["--every", "1h"] if moment == "waiting" else [])) as process:
        if moment == "sending":
            until(lambda: sink.arrived, "the first attempt")
        else:
            until(lambda: _has_read(process.pid, tmp_path, moment == "reading"), moment)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - begun < 2


def _has_read(pid, root, reading):
    """It holds the file open; or it catches SIGTERM already, which it does before its first look."""
    if reading:
        with contextlib.suppress(FileNotFoundError):
            return any(one.readlink().name == "weights.xyz" for one in Path(f"/proc/{pid}/fd").iterdir())
        return False
    caught = int(_status(pid, "SigCgt:"), 16)
    return bool(caught & (1 << (signal.SIGTERM - 1)))


def _status(pid, field):
    with Path(f"/proc/{pid}/status").open() as lines:
        return next(line.split()[1] for line in lines if line.startswith(field))


def test_it_writes_nothing_to_the_claim(sink, tmp_path):
    model(tmp_path, "a")
    before = sorted((str(one), one.stat().st_mtime_ns) for one in tmp_path.rglob("*"))
    with watching(sink, tmp_path):
        until(lambda: sink.arrived, "its event")
    assert sorted((str(one), one.stat().st_mtime_ns) for one in tmp_path.rglob("*")) == before


def test_a_thousand_models_are_cheap(sink, tmp_path):
    """The bounds are ten times what was measured: about 45 ms of processor a look, and 60 MiB."""
    for number in range(1000):
        model(tmp_path, f"team-{number % 20}/model-{number}")
    with watching(sink, tmp_path, "--every", "1s") as process:
        until(lambda: len({one[0]["ce-id"] for one in sink.arrived}) == 1000, "1,000 events", 100)
        told = len(sink.arrived)
        before, begun = _cpu(process.pid), time.monotonic()
        model(tmp_path, "team-3/model-3", ("new",))
        until(lambda: len(sink.arrived) > told, "the new content")
        until(lambda: time.monotonic() - begun > 3, "three looks")
        used = (_cpu(process.pid) - before) / 3
        memory = int(_status(process.pid, "VmHWM:")) / 1024
    print(f"one look at 1,000 models: {used * 1000:.0f} ms of processor; at most {memory:.0f} MiB of memory")
    assert len(sink.arrived) == told + 1
    assert used < 0.5
    assert memory < 128


def _cpu(pid):
    line = Path(f"/proc/{pid}/stat").read_text()
    user, system = line.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--path", "/no/such/claim"], "/no/such/claim"),
        (["--artifact", "../other"], "leaves"),
        (["--claim", "Not A Claim"], "--claim"),
        (["--every", "often"], "--every"),
    ],
)
def test_what_it_cannot_begin_with_is_exit_2(sink, tmp_path, words, why):
    with watching(sink, tmp_path, *words) as process:
        assert process.wait(20) == 2
        assert why in process.stderr.read()
