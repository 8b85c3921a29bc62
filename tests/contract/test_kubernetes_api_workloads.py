"""Workloads, grace, quota and scheduling: the same assertions on the simulated and on a real cluster."""

import pytest
from kubernetes_requests import (
    DEPLOYMENTS,
    PODS,
    QUOTAS,
    REPLICASETS,
    condition,
    deployment,
    eventually,
    items,
    merge_patch,
    pod,
)

from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.scheduling import unschedulable

PIN = "modelswitch.dev/grace"


async def _available(client, path, count=1):
    async def look():
        found = (await client.get(path)).json()
        return found if found.get("status", {}).get("availableReplicas") == count else None

    return await eventually(look, f"{path} has {count} available")


async def _account(client, namespace):
    async def look():
        return (await client.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default")).status_code == 200

    await eventually(look, "the namespace's ServiceAccount, without which a real API refuses pods")


async def test_a_deployment_makes_a_replica_set_and_pods_and_says_when_available(kubernetes, namespace):
    path = DEPLOYMENTS.format(namespace)
    assert (await kubernetes.post(path, json=deployment("d"))).status_code == 201
    found = await _available(kubernetes, f"{path}/d")
    assert condition(found, "Available")["reason"] == "MinimumReplicasAvailable"
    assert condition(found, "Progressing")["reason"] in ("NewReplicaSetAvailable", "ReplicaSetUpdated")
    [replica_set] = await items(kubernetes, REPLICASETS.format(namespace))
    [one] = await items(kubernetes, PODS.format(namespace))
    assert one["metadata"]["labels"]["pod-template-hash"] == replica_set["metadata"]["labels"]["pod-template-hash"]
    assert one["metadata"]["ownerReferences"][0]["uid"] == replica_set["metadata"]["uid"]
    assert one["metadata"]["ownerReferences"][0]["controller"] is True
    scale = await merge_patch(kubernetes, f"{path}/d/scale", {"spec": {"replicas": 0}})
    assert scale.json()["kind"] == "Scale"

    async def none_left():
        return not await items(kubernetes, PODS.format(namespace))

    await eventually(none_left, "scaled to zero")


async def test_a_changed_template_rolls_without_a_gap_and_keeps_the_old_replica_set_at_zero(kubernetes, namespace):
    path = DEPLOYMENTS.format(namespace)
    await kubernetes.post(path, json=deployment("d"))
    await _available(kubernetes, f"{path}/d")
    [old] = await items(kubernetes, PODS.format(namespace))
    template = {"spec": {"template": {"metadata": {"annotations": {"digest": "2"}}}}}
    await merge_patch(kubernetes, f"{path}/d", template)

    async def rolled():
        pods = await items(kubernetes, PODS.format(namespace))
        ready = [one for one in pods if condition(one, "Ready").get("status") == "True"]
        assert ready, "at every moment one pod is ready"
        return len(pods) == 1 and pods[0]["metadata"]["uid"] != old["metadata"]["uid"]

    await eventually(rolled, "the new pod alone")
    counts = sorted(entry["spec"]["replicas"] for entry in await items(kubernetes, REPLICASETS.format(namespace)))
    assert counts == [0, 1]


async def test_a_live_replica_set_replaces_a_deleted_pod_at_once(kubernetes, namespace):
    await kubernetes.post(DEPLOYMENTS.format(namespace), json=deployment("d"))
    await _available(kubernetes, f"{DEPLOYMENTS.format(namespace)}/d")
    [old] = await items(kubernetes, PODS.format(namespace))
    await kubernetes.delete(f"{PODS.format(namespace)}/{old['metadata']['name']}")

    async def replaced():
        pods = await items(kubernetes, PODS.format(namespace))
        return [one for one in pods if one["metadata"]["uid"] != old["metadata"]["uid"]]

    await eventually(replaced, "a replacement")


async def test_by_its_status_a_pod_loses_labels_but_no_spec_and_its_replica_set_lets_it_go(kubernetes, namespace):
    path = DEPLOYMENTS.format(namespace)
    await kubernetes.post(path, json=deployment("d"))
    await _available(kubernetes, f"{path}/d")
    [old] = await items(kubernetes, PODS.format(namespace))
    status = f"{PODS.format(namespace)}/{old['metadata']['name']}/status"
    other = await merge_patch(kubernetes, status, {"metadata": {"uid": "another", "labels": {"app": None}}})
    assert other.status_code in (409, 422)
    marks = {"labels": {"app": None, "mark": "leaving"}, "annotations": {"at": "noon"}}
    body = {"metadata": {"uid": old["metadata"]["uid"], **marks}, "spec": {"activeDeadlineSeconds": 1}}
    changed = (await merge_patch(kubernetes, status, body)).json()
    assert "app" not in changed["metadata"]["labels"] and changed["metadata"]["labels"]["mark"] == "leaving"
    assert (changed["metadata"]["annotations"]["at"], changed["spec"]) == ("noon", old["spec"])

    async def replaced():
        pods = await items(kubernetes, PODS.format(namespace))
        return len(pods) == 2 and {pod["metadata"]["uid"]: pod["metadata"].get("ownerReferences") for pod in pods}

    owners = await eventually(replaced, "another pod is made")

    async def let_go():
        found = (await kubernetes.get(status.removesuffix("/status"))).json()
        return not found["metadata"].get("ownerReferences")

    assert old["metadata"]["uid"] in owners
    await eventually(let_go, "the first one is nobody's")


async def test_pinned_by_a_finalizer_the_pods_get_the_grace_of_their_delete_and_no_replacement(kubernetes, namespace):
    sets, pods = REPLICASETS.format(namespace), PODS.format(namespace)
    await kubernetes.post(DEPLOYMENTS.format(namespace), json=deployment("d"))
    await _available(kubernetes, f"{DEPLOYMENTS.format(namespace)}/d")
    [replica_set], [one] = await items(kubernetes, sets), await items(kubernetes, pods)
    pinned = f"{sets}/{replica_set['metadata']['name']}"
    await merge_patch(kubernetes, pinned, {"metadata": {"finalizers": [PIN]}})
    gone = await kubernetes.request(
        "DELETE", f"{DEPLOYMENTS.format(namespace)}/d", json={"propagationPolicy": "Background"}
    )
    assert gone.status_code == 200

    async def terminating():
        return (await kubernetes.get(pinned)).json()["metadata"].get("deletionTimestamp")

    await eventually(terminating, "the ReplicaSet is terminating")
    [still] = await items(kubernetes, pods)
    assert "deletionTimestamp" not in still["metadata"], "the collector leaves the pods of a pinned ReplicaSet alone"
    name = one["metadata"]["name"]
    deleted = await kubernetes.request("DELETE", f"{pods}/{name}", json={"gracePeriodSeconds": 7})
    assert deleted.json()["metadata"]["deletionGracePeriodSeconds"] == 7

    async def none_left():
        found = await items(kubernetes, pods)
        assert {entry["metadata"]["name"] for entry in found} <= {name}, "a terminating ReplicaSet replaces nothing"
        return not found

    await eventually(none_left, "no pod left")
    assert (await kubernetes.get(pinned)).status_code == 200
    await merge_patch(kubernetes, pinned, {"metadata": {"finalizers": None}})
    assert (await kubernetes.get(pinned)).status_code == 404


async def test_over_quota_the_deployment_says_failed_create_with_the_numbers_and_heals(kubernetes, namespace):
    hard = {"requests.nvidia.com/gpu": "0", "pods": "5"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}}
    await kubernetes.post(QUOTAS.format(namespace), json=quota)

    async def counted():
        return (await kubernetes.get(f"{QUOTAS.format(namespace)}/q")).json().get("status", {}).get("used")

    await eventually(counted, "the quota's status")
    path = DEPLOYMENTS.format(namespace)
    await kubernetes.post(path, json=deployment("d", gpus=1))

    async def refused():
        return condition((await kubernetes.get(f"{path}/d")).json(), "ReplicaFailure")

    failure = await eventually(refused, "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    wanted = (
        "exceeded quota: q, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=0, "
        "limited: requests.nvidia.com/gpu=0"
    )
    assert failure["message"].endswith(wanted)
    await merge_patch(kubernetes, f"{QUOTAS.format(namespace)}/q", {"spec": {"hard": {"requests.nvidia.com/gpu": "1"}}})

    async def healed():
        found = (await kubernetes.get(f"{path}/d")).json()
        return found["status"].get("replicas") == 1 and not condition(found, "ReplicaFailure")

    await eventually(healed, "the pod is made after all")

    async def used():
        return (await counted())["requests.nvidia.com/gpu"] == "1"

    await eventually(used, "the quota counts it")


async def test_a_pod_that_fits_nowhere_says_which_resource_is_missing(kubernetes, namespace):
    await _account(kubernetes, namespace)
    path = PODS.format(namespace)
    assert (await kubernetes.post(path, json=pod("big", gpus=900))).status_code == 201

    async def refused():
        return condition((await kubernetes.get(f"{path}/big")).json(), "PodScheduled")

    scheduled = await eventually(refused, "PodScheduled")
    assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")
    assert "nodes are available: " in scheduled["message"]
    assert "Insufficient nvidia.com/gpu" in scheduled["message"]
    assert unschedulable(scheduled["reason"], scheduled["message"]).reason == "NodesTooSmall"


async def test_a_pod_with_a_scheduling_gate_waits_until_it_is_removed(kubernetes, namespace):
    await _account(kubernetes, namespace)
    path = PODS.format(namespace)
    body = pod("held")
    body["spec"]["schedulingGates"] = [{"name": "example.com/quota"}]
    assert (await kubernetes.post(path, json=body)).status_code == 201

    async def held():
        return condition((await kubernetes.get(f"{path}/held")).json(), "PodScheduled")

    scheduled = await eventually(held, "PodScheduled")
    assert (scheduled["status"], scheduled["reason"]) == ("False", "SchedulingGated")
    assert (await merge_patch(kubernetes, f"{path}/held", {"spec": {"schedulingGates": None}})).status_code == 200

    async def placed():
        return (await kubernetes.get(f"{path}/held")).json()["spec"].get("nodeName")

    await eventually(placed, "a node")


def _near(**labels):
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _mounting(claim):
    return {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]}


WHY_NOT = {
    "too-large": ({}, "NodesTooSmall"),
    "selects": ({"nodeSelector": {"example.com/none": "1"}}, "NodeSelectorMismatch"),
    "near": ({"affinity": _near(app="none")}, "PodAffinityMismatch"),
    "no-claim": (_mounting("none"), "VolumeClaimMissing"),
    "unbound": (_mounting("waits"), "VolumeClaimUnbound"),
    "no-image": ({}, "ErrImageNeverPull"),
    "held": ({"schedulingGates": [{"name": "example.com/quota"}]}, "SchedulingGated"),
}


@pytest.mark.parametrize("name", WHY_NOT)
async def test_why_a_pod_does_not_run_is_read_from_what_kubernetes_says(kubernetes, namespace, name):
    """The simulated scheduler knows neither claims nor affinity, and its kubelet every image."""
    if kubernetes.simulated and name not in {"selects", "held", "too-large"}:
        pytest.skip("not simulated")
    await _account(kubernetes, namespace)
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "none",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    (await kubernetes.post(claims, json={"metadata": {"name": "waits"}, "spec": claim})).raise_for_status()
    spec, reason = WHY_NOT[name]
    body = pod(name, gpus=900 if name == "too-large" else 0)
    body["spec"] |= spec
    body["spec"]["containers"][0] |= {"image": "docker.io/local/none:1", "imagePullPolicy": "Never"}
    (await kubernetes.post(PODS.format(namespace), json=body)).raise_for_status()

    async def trouble():
        return read_pod((await kubernetes.get(f"{PODS.format(namespace)}/{name}")).json()).trouble

    assert (await eventually(trouble, "why it does not run")).reason == reason


async def test_a_second_delete_can_only_shorten_the_grace_that_is_shown(kubernetes, namespace):
    await _account(kubernetes, namespace)
    path = PODS.format(namespace)
    body = pod("p")
    body["metadata"]["finalizers"] = ["example.com/keep"]
    await kubernetes.post(path, json=body)

    async def running():
        return condition((await kubernetes.get(f"{path}/p")).json(), "Ready").get("status") == "True"

    await eventually(running, "the pod runs")
    first = await kubernetes.request("DELETE", f"{path}/p", json={"gracePeriodSeconds": 20})
    assert first.json()["metadata"]["deletionGracePeriodSeconds"] == 20
    longer = await kubernetes.request("DELETE", f"{path}/p", json={"gracePeriodSeconds": 90})
    assert longer.json()["metadata"]["deletionGracePeriodSeconds"] <= 20
    shorter = await kubernetes.request("DELETE", f"{path}/p", json={"gracePeriodSeconds": 5})
    assert shorter.json()["metadata"]["deletionGracePeriodSeconds"] <= 5
    await merge_patch(kubernetes, f"{path}/p", {"metadata": {"finalizers": None}})


async def test_a_deleted_namespace_takes_everything_along_and_accepts_nothing_new(kubernetes, namespace):
    await kubernetes.post(DEPLOYMENTS.format(namespace), json=deployment("d"))
    await _available(kubernetes, f"{DEPLOYMENTS.format(namespace)}/d")
    deleted = await kubernetes.delete(f"/api/v1/namespaces/{namespace}")
    assert deleted.json()["status"]["phase"] == "Terminating"
    refused = await kubernetes.post(DEPLOYMENTS.format(namespace), json=deployment("e"))
    assert refused.status_code == 403
    assert "because it is being terminated" in refused.json()["message"]

    async def gone():
        return (await kubernetes.get(f"/api/v1/namespaces/{namespace}")).status_code == 404

    await eventually(gone, "the namespace is gone", 60)
