"""The simulated cluster's pods: GPUs that run out and come back, and how annotations steer a container's life."""

import time

import pytest
from kubernetes_requests import (
    DEPLOYMENTS,
    PODS,
    REPLICASETS,
    condition,
    deployment,
    eventually,
    items,
    merge_patch,
    pod,
)

pytestmark = pytest.mark.parametrize("kubernetes_api", ["simulated"], indirect=True)
SIM = "sim.modelswitch.dev"


async def _make(client, path, name, gpus=0, **annotations):
    body = pod(name, gpus)
    body["metadata"]["annotations"] = {f"{SIM}/{key.replace('_', '-')}": value for key, value in annotations.items()}
    assert (await client.post(path, json=body)).status_code == 201


async def _ready(client, path, name):
    async def look():
        return condition((await client.get(f"{path}/{name}")).json(), "Ready").get("status") == "True"

    await eventually(look, f"{name} is ready")


async def _gone(client, path, name):
    async def look():
        return (await client.get(f"{path}/{name}")).status_code == 404

    await eventually(look, f"{name} is gone")


async def test_a_waiting_pod_gets_the_gpu_when_the_one_that_holds_it_is_gone(kubernetes, namespace):
    path = PODS.format(namespace)
    await _make(kubernetes, path, "first", gpus=2)
    await _ready(kubernetes, path, "first")
    await _make(kubernetes, path, "second", gpus=1)

    async def waits():
        return condition((await kubernetes.get(f"{path}/second")).json(), "PodScheduled").get("message")

    message = await eventually(waits, "the second pod waits")
    assert message.startswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    await kubernetes.delete(f"{path}/first")
    await _ready(kubernetes, path, "second")
    assert (await kubernetes.get(f"{path}/first")).status_code == 404, "no GPU is counted twice"


async def test_the_kubelet_keeps_the_grace_of_the_first_delete(kubernetes, namespace):
    path = PODS.format(namespace)
    await _make(kubernetes, path, "p", start_seconds="0", shutdown_seconds="60")
    await _ready(kubernetes, path, "p")
    began = time.monotonic()
    await kubernetes.request("DELETE", f"{path}/p", json={"gracePeriodSeconds": 2})
    shown = await kubernetes.request("DELETE", f"{path}/p", json={"gracePeriodSeconds": 1})
    assert shown.json()["metadata"]["deletionGracePeriodSeconds"] == 1
    await _gone(kubernetes, path, "p")
    assert 1.8 < time.monotonic() - began < 4


async def test_grace_zero_removes_the_object_at_once(kubernetes, namespace):
    path = PODS.format(namespace)
    await _make(kubernetes, path, "p", start_seconds="0", shutdown_seconds="60")
    await _ready(kubernetes, path, "p")
    await kubernetes.request("DELETE", f"{path}/p", json={"gracePeriodSeconds": 0})
    assert (await kubernetes.get(f"{path}/p")).status_code == 404


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CrashLoopBackOff"])
async def test_a_failing_pod_says_why_and_recovers_when_the_cause_goes(kubernetes, namespace, reason):
    path = PODS.format(namespace)
    await _make(kubernetes, path, "p", start_seconds="0", fail=reason)

    async def failing():
        statuses = (await kubernetes.get(f"{path}/p")).json()["status"].get("containerStatuses", [])
        return [entry["state"].get("waiting", {}).get("reason") for entry in statuses] == [reason]

    await eventually(failing, reason)
    await merge_patch(kubernetes, f"{path}/p", {"metadata": {"annotations": {f"{SIM}/fail": None}}})
    await _ready(kubernetes, path, "p")


async def test_the_same_template_gets_the_same_hash_again_unless_the_old_replica_set_is_still_there(
    kubernetes, namespace
):
    path, sets = DEPLOYMENTS.format(namespace), REPLICASETS.format(namespace)

    async def replica_sets():
        return [entry["metadata"]["name"] for entry in await items(kubernetes, sets)]

    async def none():
        return not await replica_sets()

    await kubernetes.post(path, json=deployment("d", 0))
    [first] = await eventually(replica_sets, "the first ReplicaSet")
    await kubernetes.delete(f"{path}/d")
    await eventually(none, "collected")
    await kubernetes.post(path, json=deployment("d", 0))
    [second] = await eventually(replica_sets, "the second ReplicaSet")
    assert second == first
    await merge_patch(kubernetes, f"{sets}/{second}", {"metadata": {"finalizers": ["example.com/keep"]}})
    await kubernetes.delete(f"{path}/d")
    await kubernetes.post(path, json=deployment("d", 0))

    async def two():
        return len(await replica_sets()) == 2

    await eventually(two, "a second name beside the pinned one")
    await merge_patch(kubernetes, f"{sets}/{second}", {"metadata": {"finalizers": None}})


async def test_a_stateful_set_makes_its_pods_in_order_and_keeps_their_names(kubernetes, namespace):
    body = deployment("s", 2) | {"kind": "StatefulSet"}
    await kubernetes.post(f"/apis/apps/v1/namespaces/{namespace}/statefulsets", json=body)
    path = PODS.format(namespace)
    await _ready(kubernetes, path, "s-1")
    old = (await kubernetes.get(f"{path}/s-0")).json()["metadata"]["uid"]
    await kubernetes.delete(f"{path}/s-0")

    async def again():
        found = (await kubernetes.get(f"{path}/s-0")).json()
        return found["metadata"].get("uid", old) != old

    await eventually(again, "s-0 is made again")


async def test_in_the_foreground_an_owner_goes_last_and_orphans_are_left_alone(kubernetes, namespace):
    path, sets = DEPLOYMENTS.format(namespace), REPLICASETS.format(namespace)
    for name in ("f", "o"):
        await kubernetes.post(path, json=deployment(name))

    async def both():
        return len(await items(kubernetes, sets)) == 2

    await eventually(both, "two ReplicaSets")
    deleted = await kubernetes.request("DELETE", f"{path}/f", json={"propagationPolicy": "Foreground"})
    assert deleted.json()["metadata"]["finalizers"] == ["foregroundDeletion"]
    await _gone(kubernetes, path, "f")
    await kubernetes.request("DELETE", f"{path}/o", json={"propagationPolicy": "Orphan"})
    await _gone(kubernetes, path, "o")
    [left] = await items(kubernetes, sets)
    assert "ownerReferences" not in left["metadata"]
    await kubernetes.delete(f"{sets}/{left['metadata']['name']}")
