"""The example's measuring script, against a server that answers as it is told."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "knative" / "examples" / "anomaly-detector" / "measure.py"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers["host"], body, self.client_address))
        answer = b'{"predictions": [1]}'
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        if self.server.hangs_up:
            self.close_connection = True
            self.connection.close()
            return
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    made.asked, made.status, made.hangs_up = [], 200, False
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def measure(server, *words):
    url = f"http://127.0.0.1:{server.server_port}"
    command = [sys.executable, SCRIPT, url, "--seconds", "0.5", "--connections", "2", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, json.loads(done.stdout)


def test_it_counts_what_was_answered_on_connections_that_it_keeps(server):
    code, found = measure(server)
    assert (code, found["failed"]) == (0, {})
    assert found["answered"] == len(server.asked) > 2
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert len({address for *_, address in server.asked}) == 2


def test_a_rate_is_kept(server):
    code, found = measure(server, "--rate", "20")
    assert (code, found["answered"]) == (0, 10)


def test_the_request_is_the_models_own_with_as_many_rows_as_asked_for(server):
    measure(server, "--model", "other", "--host", "other.ml.example.com", "--rows", "3", "--rate", "4")
    path, host, body, _ = server.asked[0]
    assert (path, host) == ("/v1/models/other:predict", "other.ml.example.com")
    assert len(body["instances"]) == 3


def test_any_other_status_is_a_failure(server):
    server.status = 503
    code, found = measure(server, "--rate", "4")
    assert (code, found["answered"], found["p99_ms"]) == (1, 0, None)
    assert found["failed"] == {"status 503": 2}


def test_a_connection_that_ends_is_a_failure_and_made_again(server):
    server.hangs_up = True
    code, found = measure(server, "--rate", "4")
    assert code == 1
    assert sum(found["failed"].values()) == len(server.asked) == 2


def test_what_is_no_address_is_refused_in_words():
    done = subprocess.run([sys.executable, SCRIPT, "anomaly-detector"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "expected http://HOST:PORT" in done.stderr
