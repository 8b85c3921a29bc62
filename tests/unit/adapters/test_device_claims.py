"""Devices by DRA: counted where the claim's allocation is readable, else said to be unknown, and never 0."""

from datetime import UTC, datetime

import pytest
from aiohttp import web

from events.cli.words import receipt_phrase, resources_phrase
from events.model import Kind, ModelRef
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe, ProxyLine
from functions.lifecycle.observe import observe
from functions.lifecycle.receipt import last_run_pods, merge, write_receipt
from functions.lifecycle.record import Run
from functions.lifecycle.scene import Limits

REF = ModelRef(namespace="ml", name="llama", kind=Kind.LLM_INFERENCE_SERVICE)
MODEL = {"metadata": {"name": "llama", "namespace": "ml", "uid": "m"}, "spec": {}, "status": {}}
POD = {
    "metadata": {
        "name": "llama-kserve-1",
        "namespace": "ml",
        "uid": "u1",
        "labels": {"app.kubernetes.io/name": "llama", "app.kubernetes.io/part-of": "llminferenceservice"},
    },
    "spec": {
        "nodeName": "node1",
        "resources": {"limits": {"memory": "64Gi"}},
        "resourceClaims": [{"name": "managed-device", "resourceClaimTemplateName": "llama-managed-dra"}],
        "containers": [{"name": "main", "resources": {"claims": [{"name": "managed-device"}]}}],
    },
    "status": {"resourceClaimStatuses": [{"name": "managed-device", "resourceClaimName": "llama-x7"}]},
}


def allocated(*drivers, pods=1, **more):
    results = [{"driver": driver, "pool": "p", "device": f"d{n}", **more} for n, driver in enumerate(drivers)]
    users = [{"resource": "pods", "name": f"p{n}"} for n in range(pods)]
    return {"status": {"allocation": {"devices": {"results": results}}, "reservedFor": users}}


@pytest.fixture
def look(cluster, api_server):
    observer = Observer(
        cluster, Resources(cluster), Grace(cluster), Probe(ProxyLine(cluster)), lambda: datetime.now(UTC)
    )

    async def look(claim, version="v1", status=200, pod=POD, verb=None):
        def answer(request):
            if request.path == f"/apis/resource.k8s.io/{version}/namespaces/ml/resourceclaims/llama-x7":
                return web.json_response(claim, status=status)
            if request.path == "/apis/serving.kserve.io":
                return web.json_response({"versions": [{"version": "v1alpha2"}]})
            if request.path.endswith("/llminferenceservices/llama"):
                return web.json_response(MODEL)
            if request.path.endswith("/pods"):
                return web.json_response({"items": [pod]})
            return web.json_response({}, status=404)

        api_server.answers = answer
        return await observer.observe(REF, verb=verb)

    return look


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
@pytest.mark.parametrize("verb", [None, "stop", "start"])
async def test_the_devices_of_a_claim_are_counted_by_its_allocation(look, version, verb):
    seen = await look(allocated("gpu.nvidia.com", "gpu.nvidia.com", "dra.net"), version, verb=verb)
    assert (seen.gpus, seen.gpus_exact, seen.memory) == (2, True, 64 * 1024**3)


async def test_what_was_counted_once_stays_counted_while_the_pod_ends(look):
    await look(allocated("gpu.nvidia.com"))
    seen = await look({}, status=404)
    assert (seen.gpus, seen.gpus_exact) == (1, True)


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        (allocated("example.com"), 200),
        (allocated("gpu.nvidia.com", pods=2), 200),
        ({"status": {}}, 200),
        ({}, 200),
        ([], 200),
        ({}, 403),
        ({}, 404),
        ({}, 500),
    ],
    ids=["unknown driver", "shared", "not allocated", "no status", "no object", "forbidden", "missing", "failing"],
)
async def test_what_can_t_be_counted_is_unknown_and_never_none(look, claim, status):
    seen = await look(claim, status=status)
    assert (seen.gpus, seen.gpus_exact) == (0, False)


async def test_a_claim_that_is_not_made_yet_is_unknown_and_one_that_need_not_be_is_none(look):
    waiting = await look(allocated("gpu.nvidia.com"), pod={**POD, "status": {}})
    assert not waiting.gpus_exact
    unneeded = {**POD, "status": {"resourceClaimStatuses": [{"name": "managed-device"}]}}
    assert (await look({}, pod=unneeded)).gpus_exact


async def test_a_device_for_monitoring_is_nobody_s(look):
    assert (await look(allocated("gpu.nvidia.com", adminAccess=True))).gpus == 0


def test_without_the_cluster_a_pod_with_claims_is_not_counted_exactly():
    assert not read_pod(POD).gpus_exact
    assert read_pod({**POD, "spec": {"containers": []}}).gpus_exact


async def test_status_and_receipt_say_that_the_number_is_unknown(look):
    seen = await look({}, status=403)
    status = observe(None, seen, Limits()).record.status()
    assert resources_phrase(status) == "an unknown number of GPUs, 64Gi"
    assert [pod.gpus_exact for pod in last_run_pods(seen)] == [False]
    now = datetime.now(UTC)
    receipt = write_receipt(merge({}, seen), Run(since=now, actor="a", key="k"), now, complete=True)
    assert receipt_phrase(receipt).startswith("an unknown number of GPUs and 64Gi freed")
    counted = await look(allocated("gpu.nvidia.com"))
    later = write_receipt(merge(merge({}, seen), counted), Run(since=now, actor="a", key="k"), now, complete=True)
    assert (later.gpus, later.gpus_exact) == (1, True)
