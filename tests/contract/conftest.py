"""What the contract tests share: the servers they run against."""

import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import httpx
import pytest
import redis.asyncio as redis
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from redis_as_deployed import account, redis_as_deployed

from functions.adapters.probe import DirectLine
from functions.adapters.store import Store

REAL = "MODELSWITCH_TEST_KUBECONFIG"


# --- kubernetes_api: one suite for the simulated and a real Kubernetes API ---------------------------------------


@pytest.fixture(scope="session", params=["simulated", "real"])
def kubernetes_api(request, tmp_path_factory):
    """A kubeconfig path: of a simulated API in a process of its own, then of MODELSWITCH_TEST_KUBECONFIG."""
    if request.param == "real":
        if not os.environ.get(REAL):
            pytest.skip(f"{REAL} is not set: it names the kubeconfig of a real cluster")
        if os.environ.get("KSERVE") == "own":
            pytest.skip("KServe's own controller and webhooks change the objects that these tests watch")
        yield Path(os.environ[REAL])
        return
    kubeconfig = tmp_path_factory.mktemp("kubernetes_api") / "kubeconfig"
    tokens = kubeconfig.with_name("tokens")
    tokens.write_text(
        json.dumps({"secret-of-operator": {"user": "operator", "groups": ["team"], "namespaces": ["default"]}})
    )
    command = [sys.executable, "-m", "functions.local.kubernetes", "--port", "0", "--nodes", "1", "--gpus", "2"]
    command += ["--tokens", str(tokens), "--kubeconfig-out", str(kubeconfig)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert "listens on" in process.stdout.readline()
    yield kubeconfig
    process.terminate()
    assert process.wait(10) == 0, "the simulated API did not end cleanly"


@pytest.fixture
async def kubernetes(kubernetes_api):
    """An httpx client of that API, its paths relative to the server."""
    config = yaml.safe_load(kubernetes_api.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    headers = {"authorization": f"Bearer {user['token']}"} if "token" in user else {}
    tls = _tls(cluster, user)
    async with httpx.AsyncClient(base_url=cluster["server"], verify=tls, headers=headers, timeout=30) as client:
        client.simulated = "certificate-authority-data" not in cluster and "certificate-authority" not in cluster
        yield client


@pytest.fixture
async def namespace(kubernetes):
    """A namespace of the test's own, deleted afterwards."""
    name = f"kapi-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    (await kubernetes.post("/api/v1/namespaces", json=body)).raise_for_status()
    yield name
    await kubernetes.delete(f"/api/v1/namespaces/{name}")


def _tls(cluster, user):
    """The TLS side of a kubeconfig, its data inline or in files."""
    if cluster["server"].startswith("http://"):
        return False
    context = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority"))
    if not any(name.startswith("client-certificate") for name in user):
        return context
    with tempfile.TemporaryDirectory() as folder:
        for name in ("client-certificate", "client-key"):
            (Path(folder) / name).write_text(_pem(user, name))
        context.load_cert_chain(Path(folder) / "client-certificate", Path(folder) / "client-key")
    return context


def _pem(part, name):
    if f"{name}-data" in part:
        return base64.b64decode(part[f"{name}-data"]).decode()
    return Path(part[name]).read_text()


# --- end of kubernetes_api ----------------------------------------------------------------------------------------


@pytest.fixture
async def line():
    """To pods' own addresses."""
    made = DirectLine()
    yield made
    await made.close()


# --- store: our own, and its Redis as it is ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def deployed_redis(tmp_path_factory):
    """A Redis with the accounts of knative/base/redis.yaml; its URL as the functions get it."""
    with redis_as_deployed(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
async def store(redis_url):
    """With the rights of a deployment's account, on the Redis that `raw` shows."""
    async with redis.from_url(redis_url) as everything:
        await everything.execute_command("ACL", "SETUSER", "modelswitch", "reset", "on", "nopass", *account())
    connected = Store.connect(redis_url.replace("redis://", "redis://modelswitch:any@"))
    yield connected
    await connected.close()


@pytest.fixture
async def raw(redis_url):
    client = redis.from_url(redis_url, decode_responses=True)
    yield client
    await client.aclose()
