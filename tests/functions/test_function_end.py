"""How a function ends."""

import sys

from function_process import SECRET, _answers, free_port, running, until


def test_a_function_closes_its_connections_when_it_is_told_to_end(world, tmp_path):
    port, log = free_port(), tmp_path / "dead_letter.log"
    command = [sys.executable, "-m", "functions_framework", "--source", "functions/dead_letter/main.py"]
    command += ["--target", "dead_letter", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"KUBECONFIG": str(world.kubeconfig), "REDIS_URL": world.redis_url, "DELIVERY_SECRETS": SECRET}
    with running(command, log, environment) as process:
        until(lambda: _answers(f"http://127.0.0.1:{port}/healthz"), "it is up")
        process.terminate()
        process.wait(20)
    assert "connections closed" in log.read_text()
