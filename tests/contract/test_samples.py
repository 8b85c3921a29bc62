"""The samples of `make run`: each in the state that it is there to show, within seconds."""

import asyncio
import time

import pytest
from kserve_here import controllers_on, end, simulated_api

from functions.local.kserve.cluster import Cluster
from functions.local.kserve.conditions import find
from functions.local.kserve.resources import INFERENCE_GRAPH, INFERENCE_SERVICE, LLM_INFERENCE_SERVICE, POD
from functions.local.samples import apply_samples

DEADLINE_SECONDS = 20
LOADED = {"card-fraud", "anomaly-detector", "chargeback", "device-risk", "merchant-score", "embeddings", "answers-llm"}
READY_ELSEWHERE = {"query-rewriter", "dispute-pipeline"}
STOPPED = {"legacy-rules"}
FAILING = {"geo-velocity", "translator"}


@pytest.fixture
def kubeconfig(tmp_path):
    path, api = simulated_api(tmp_path)
    processes = [api, controllers_on(path)]
    yield str(path)
    end(processes)


@pytest.fixture
async def cluster(kubeconfig):
    cluster = await Cluster.connect(kubeconfig)
    yield cluster
    await cluster.close()


async def states(cluster):
    """{state: names}, from KServe's conditions."""
    found = {"loaded": set(), "ready": set(), "stopped": set(), "failing": set(), "other": set()}
    for resource in (INFERENCE_SERVICE, LLM_INFERENCE_SERVICE, INFERENCE_GRAPH):
        for obj in (await cluster.list(resource))["items"]:
            found[_state(obj)].add(obj["metadata"]["name"])
    return found


def _state(obj):
    status = obj.get("status") or {}
    ready = find(status, "Ready") or {}
    if ready.get("status") == "True":
        loaded = status.get("modelStatus", {}).get("states", {}).get("targetModelState") == "Loaded"
        return "loaded" if loaded else "ready"
    if ready.get("reason") == "Stopped":
        return "stopped"
    down = find(status, "PredictorReady") or {}
    return "failing" if down.get("reason") == "MinimumReplicasUnavailable" else "other"


async def test_each_sample_gets_into_the_state_that_it_shows_and_making_them_again_changes_nothing(kubeconfig, cluster):
    assert await apply_samples(kubeconfig) > 12
    expected = {"loaded": LOADED, "ready": READY_ELSEWHERE, "stopped": STOPPED, "failing": FAILING, "other": set()}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (seen := await states(cluster)) != expected and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert seen == expected
    assert await apply_samples(kubeconfig) == 0


async def test_the_samples_take_all_four_gpus_but_the_one_that_waits(kubeconfig, cluster):
    await apply_samples(kubeconfig)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (waiting := await _unschedulable(cluster)) != {"translator"} and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert waiting == {"translator"}


async def test_who_is_to_wait_for_gpus_is_made_when_the_others_hold_theirs(kubeconfig, cluster):
    before = (await cluster.list(POD))["metadata"]["resourceVersion"]
    await apply_samples(kubeconfig)
    made = await _first(cluster, INFERENCE_SERVICE, before, "translator", lambda _: True)
    for holder in ("embeddings-", "answers-llm-", "query-rewriter-"):
        placed = await _first(cluster, POD, before, holder, lambda pod: pod["spec"].get("nodeName"))
        assert placed < made, f"{holder} had no node yet"


async def _first(cluster, resource, since, name, wanted):
    """The resourceVersion of the first change after `since` that shows what is wanted of who is called so."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for _, obj in cluster.watch(resource, since):
            if obj["metadata"]["name"].startswith(name) and wanted(obj):
                return int(obj["metadata"]["resourceVersion"])
    raise AssertionError(f"{name}: the watch ended before it was seen")


async def _unschedulable(cluster):
    pods = (await cluster.list(POD, "search"))["items"]
    waiting = [pod for pod in pods if (find(pod["status"], "PodScheduled") or {}).get("reason") == "Unschedulable"]
    return {pod["metadata"]["labels"].get("serving.kserve.io/inferenceservice", "other") for pod in waiting}
