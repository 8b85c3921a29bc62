"""What turns out to be no HTTP behind its head is dropped: it leaves no traceback, and the process goes on."""

import socket

import pytest
from function_process import SECRET, function

CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
BODIES = {"no size": CHUNKED + b"zz\r\nabc\r\n", "no size behind a chunk": CHUNKED + b"3\r\nabc\r\nzz\r\n"}


def answer(port: int, method: str, path: str, body: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n".encode() + body)
        return b"".join(iter(lambda: line.recv(65536), b""))


@pytest.fixture
def served(world, tmp_path):
    environment = {"KUBECONFIG": str(world.kubeconfig), "REDIS_URL": world.redis_url}
    with function("dead_letter", tmp_path / "dead_letter.log", environment) as running:
        yield running


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/"), ("POST", f"/?delivery={SECRET}"), ("PUT", "/"), ("GET", "/healthz")]
)
def test_a_function_drops_it(served, method, path, body):
    port = int(served.url.rpartition(":")[2])
    assert b" 400 " in answer(port, method, path, body).partition(b"\r\n")[0]
    assert served.send("com.example.any", None).status_code < 500
    log = served.log.read_text()
    assert "Traceback" not in log
    assert "without" not in log


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("origin", [b"", b"origin: http://elsewhere.example\r\n"], ids=["ours", "foreign"])
def test_the_api_drops_it(world, origin, body):
    with world.api(AUTH="none") as api:
        got = answer(api.base_url.port, "POST", "/api/v1/namespaces/a/models/b/stop", origin + body)
        assert b" 400 " in got.partition(b"\r\n")[0]
        assert api.get("/healthz").status_code == 200
        log = (world.folder / f"api-{api.base_url.port}.log").read_text()
    assert "Traceback" not in log
    assert "without" not in log
