"""A cluster on which the simulated KServe runs as a process of its own, and the words in which its tests speak of it.

A real API server is chosen by MODELSWITCH_TEST_KUBECONFIG; its nodes need the image of tests/e2e/modelserver.
"""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from kserve_eyes import Eyes
from kserve_objects import IMAGE, runtime

from functions.adapters.cluster import Cluster as OurCluster
from functions.adapters.store import Store
from functions.local.kserve.cluster import ApiError, Cluster
from functions.local.kserve.conditions import find
from functions.local.kserve.resources import INFERENCE_SERVICE, POD, SERVING_RUNTIME, Resource

NAMESPACE = Resource("/api/v1", "namespaces", "Namespace", namespaced=False)
QUOTA = Resource("/api/v1", "resourcequotas", "ResourceQuota")
DEADLINE_SECONDS = 40


def simulated_api(folder):
    """A process of the simulated API; answers its kubeconfig, which is written once it listens."""
    kubeconfig = Path(folder) / "kubeconfig"
    command = [sys.executable, "-m", "functions.local.kubernetes", "--port", "0", "--nodes", "1", "--gpus", "4"]
    process = subprocess.Popen([*command, "--kubeconfig-out", str(kubeconfig)])
    deadline = time.monotonic() + 20
    while not kubeconfig.exists():
        assert process.poll() is None, "the simulated API ended at start"
        assert time.monotonic() < deadline, "the simulated API did not listen within 20 s"
        time.sleep(0.05)
    return kubeconfig, process


def controllers_on(kubeconfig, *namespaces):
    """A process of the simulated KServe that watches by now."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "KSERVE_ROUTER_IMAGE": IMAGE}
    command = [sys.executable, "-m", "functions.local.kserve", *namespaces]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert "watch" in process.stdout.readline()
    return process


def end(processes):
    """Each ends within 10 s of being told to; one that does not is killed, so that it does not go on beside other tests."""
    late = []
    for process in reversed(processes):
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            late.append(process.args)
    assert not late, f"did not end within 10 s: {late}"


@pytest.fixture(scope="module", params=["simulated", "real"])
def world(request, tmp_path_factory):
    """(kubeconfig, namespace) with the controllers running as a process of their own."""
    processes = []
    if request.param == "real":
        kubeconfig = os.environ.get("MODELSWITCH_TEST_KUBECONFIG")
        if not kubeconfig:
            pytest.skip("MODELSWITCH_TEST_KUBECONFIG names no real cluster")
        if os.environ.get("KSERVE") == "own":
            pytest.skip("KServe's own controller acts on this cluster, and would on what the simulated one is shown by")
    else:
        kubeconfig, process = simulated_api(tmp_path_factory.mktemp("api"))
        processes.append(process)
    namespace = f"kserve-{uuid.uuid4().hex[:8]}"
    processes.append(controllers_on(kubeconfig, namespace, f"{namespace}-quota"))
    asyncio.run(_prepare(str(kubeconfig), namespace))
    yield str(kubeconfig), namespace
    asyncio.run(_clean(str(kubeconfig), namespace))
    end(processes)


async def _prepare(kubeconfig, namespace):
    cluster = await Cluster.connect(kubeconfig)
    for name in (namespace, f"{namespace}-quota"):
        await cluster.create(NAMESPACE, {"metadata": {"name": name}})
        await cluster.create(SERVING_RUNTIME, runtime(name))
    hard = {"requests.nvidia.com/gpu": "0"}
    quota = {"metadata": {"name": "team", "namespace": f"{namespace}-quota"}, "spec": {"hard": hard}}
    await cluster.create(QUOTA, quota)
    await cluster.close()


async def _clean(kubeconfig, namespace):
    cluster = await Cluster.connect(kubeconfig)
    for name in (namespace, f"{namespace}-quota"):
        await cluster._call("DELETE", f"/api/v1/namespaces/{name}")
    await cluster.close()


class Here:
    """One namespace of one cluster, in the words of the tests."""

    def __init__(self, cluster, namespace):
        self.cluster = cluster
        self.namespace = namespace

    def with_quota(self):
        """The namespace whose quota allows no GPU."""
        return Here(self.cluster, f"{self.namespace}-quota")

    async def make(self, obj, resource=INFERENCE_SERVICE):
        return await self.cluster.create(resource, obj)

    async def get(self, name, resource=INFERENCE_SERVICE):
        return await self.cluster.get(resource, self.namespace, name)

    async def pods(self, label):
        return (await self.cluster.list(POD, self.namespace, label))["items"]

    async def edit(self, name, change, resource=INFERENCE_SERVICE):
        """Reads, changes and writes, again where somebody was faster."""
        while True:
            obj = await self.get(name, resource)
            change(obj)
            try:
                return await self.cluster.replace(resource, obj)
            except ApiError as error:
                if error.reason != "Conflict":
                    raise

    async def annotate(self, name, resource=INFERENCE_SERVICE, **annotations):
        """Sets annotations of serving.kserve.io by their short name, `_` for `-`; None removes one."""

        def change(obj):
            held = obj["metadata"].setdefault("annotations", {})
            for key, value in annotations.items():
                full = f"serving.kserve.io/{key.replace('_', '-')}"
                held.pop(full, None) if value is None else held.update({full: value})

        return await self.edit(name, change, resource)

    async def seen(self, check, what):
        """The first truthy answer of `check`, within the deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if found := await check():
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"not seen within {DEADLINE_SECONDS} s: {what}")

    async def condition(self, name, kind, status, resource=INFERENCE_SERVICE, reason=None):
        """The object, once it has that condition."""

        async def check():
            obj = await self.get(name, resource)
            found = find((obj or {}).get("status") or {}, kind)
            fits = found and found["status"] == status and reason in {None, found.get("reason")}
            return obj if fits else None

        return await self.seen(check, f"{name} {kind}={status} {reason or ''}")

    async def running(self, obj, resource=INFERENCE_SERVICE):
        """Made and Ready; an InferenceService says Loaded only in the status after that one."""
        name = obj["metadata"]["name"]
        await self.make(obj, resource)
        found = await self.condition(name, "Ready", "True", resource)
        return await self.loaded(name) if resource is INFERENCE_SERVICE else found

    async def loaded(self, name):
        async def check():
            obj = await self.get(name)
            states = obj["status"].get("modelStatus", {}).get("states", {})
            return obj if states.get("targetModelState") == "Loaded" else None

        return await self.seen(check, f"{name} loaded")

    async def gone(self, name, resource):
        async def check():
            return await self.get(name, resource) is None

        await self.seen(check, f"{resource.kind} {name} gone")

    async def no_pods(self, label):
        async def check():
            return not await self.pods(label)

        await self.seen(check, f"no pods of {label}")


@pytest.fixture
async def here(world):
    kubeconfig, namespace = world
    cluster = await Cluster.connect(kubeconfig)
    yield Here(cluster, namespace)
    await cluster.close()


@pytest.fixture
async def eyes(world, redis_url, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", world[0])
    cluster, store = await OurCluster.connect(), Store.connect(redis_url)
    yield Eyes(cluster, store)
    await store.close()
    await cluster.close()
