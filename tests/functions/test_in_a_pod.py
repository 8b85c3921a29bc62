"""A function with a pod's own ServiceAccount: how it asks the API server, and what it does not import for that."""

import asyncio
import re
import sys
import time

import aiohttp
import pytest
from function_process import SECRET, STOP, free_port, running
from pod import a_pod

from functions.adapters.cluster import Cluster
from functions.adapters.credentials import REREAD_SECONDS, Credentials, Pod
from functions.lifecycle.errors import ClusterUnavailable

SUBJECT = "namespaces/fraud/inferenceservices/first"
NOT_NEEDED = ["kubernetes", "yaml", "requests", "requests_oauthlib", "oauthlib", "urllib3", "httpx", "fastapi", "typer"]
"""By no stop, start or reload in a pod; together they take longer to import than what is needed."""


@pytest.fixture
async def pod(tmp_path, monkeypatch):
    async with a_pod(tmp_path) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


class Now:
    seconds = 0.0

    def __call__(self):
        return self.seconds


async def connected(pod, clock=time.monotonic):
    credentials = Credentials(Pod(pod.folder), clock)
    await credentials._load(afresh=False)
    return Cluster(credentials.access, credentials)


async def test_the_pods_token_is_sent_and_read_again_when_the_kubelet_has_renewed_it(pod):
    now = Now()
    cluster = await connected(pod, now)
    await cluster.get("/version")
    (pod.folder / "token").write_text("second\n")
    await cluster.get("/version")
    now.seconds += REREAD_SECONDS
    await cluster.get("/version")
    await cluster.close()
    assert pod.tokens == ["Bearer first", "Bearer first", "Bearer second"]


async def test_an_api_server_that_the_pods_certificate_does_not_vouch_for_gets_no_token(pod, tmp_path_factory):
    async with a_pod(tmp_path_factory.mktemp("other")) as other:
        (pod.folder / "ca.crt").write_bytes((other.folder / "ca.crt").read_bytes())
        cluster = await connected(pod)
        with pytest.raises(ClusterUnavailable, match="certificate"):
            await cluster.get("/version")
        await cluster.close()
    assert pod.tokens == []


async def test_an_api_server_with_another_name_in_its_certificate_gets_no_token(tmp_path, monkeypatch):
    async with a_pod(tmp_path, certified="IP:127.0.0.2") as pod:
        for name, value in pod.environment.items():
            monkeypatch.setenv(name, value)
        cluster = await connected(pod)
        with pytest.raises(ClusterUnavailable, match="certificate"):
            await cluster.get("/version")
        await cluster.close()
    assert pod.tokens == []


async def test_an_ipv6_address_of_the_api_server_is_put_in_brackets(pod, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    cluster = await connected(pod)
    assert cluster.access.host == "https://[fd00::1]:443"


@pytest.mark.parametrize("spoil", [lambda token: token.unlink(), lambda token: token.write_text("")])
async def test_a_pod_without_a_token_says_which_file_it_misses(pod, spoil, monkeypatch):
    spoil(pod.folder / "token")
    monkeypatch.setattr("functions.adapters.credentials.SERVICE_ACCOUNT", pod.folder)
    with pytest.raises(ClusterUnavailable, match=re.escape(str(pod.folder / "token"))):
        await Cluster.connect()


async def test_a_function_stops_its_first_model_without_a_module_that_it_does_not_need(pod, redis_url):
    port, log = free_port(), pod.folder / "function.log"
    command = [sys.executable, "-m", "functions_framework", "--source", str(pod.main("command"))]
    command += ["--target", "command", "--host", "127.0.0.1", "--port", str(port)]
    settings = {"REDIS_URL": redis_url, "DELIVERY_SECRETS": SECRET, "PYTHONPATH": ".", "PYTHONPROFILEIMPORTTIME": "1"}
    with running(command, log, {**pod.environment, **settings}):
        status = await first_answer(f"http://127.0.0.1:{port}/?delivery={SECRET}")
    assert status == 202, log.read_text()[-3000:]
    imported = set(re.findall(r"^import time:.*\| +(\w+)(?:\.\S+)?$", log.read_text(), re.MULTILINE))
    assert "redis" in imported, "the log says what is imported"
    assert imported.intersection(NOT_NEEDED) == set()


async def first_answer(address):
    attributes = {"specversion": "1.0", "id": "e1", "source": "/test", "type": STOP, "subject": SUBJECT}
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            try:
                async with session.post(address, json={}, headers=headers) as response:
                    return response.status
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)
