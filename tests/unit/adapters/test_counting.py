"""What a pod holds: which resources are accelerators, and how much of each Kubernetes counts for a pod."""

import pytest

from functions.adapters.kserve.accelerators import add_accelerators, drives_accelerators, is_accelerator
from functions.adapters.kserve.pods import read_pod
from functions.local.kubernetes import demand

GI = 1024**3
OVERHEAD = {"overhead": {"memory": "1Gi", "cpu": "250m"}}


@pytest.mark.parametrize(
    "name",
    [
        "nvidia.com/gpu",
        "nvidia.com/gpu.shared",
        "nvidia.com/mig-1g.5gb",
        "nvidia.com/mig-1g.5gb.shared",
        "nvidia.com/pgpu",
        "nvidia.com/gpu-a100",
        "amd.com/gpu",
        "amd.com/cpx_nps4",
        "gpu.intel.com/i915",
        "gpu.intel.com/xe",
        "npu.intel.com/accel",
        "habana.ai/gaudi",
        "google.com/tpu",
        "aws.amazon.com/neuron",
        "aws.amazon.com/neuroncore",
        "huawei.com/Ascend910",
        "huawei.com/Ascend310P",
        "cambricon.com/mlu370",
        "cambricon.com/vmlu",
        "hygon.com/dcunum",
        "metax-tech.com/gpu",
        "mthreads.com/vgpu",
        "iluvatar.ai/vgpu",
        "enflame.com/gcu",
        "enflame.com/shared-gcu",
        "kunlunxin.com/xpu",
        "birentech.com/1-2-gpu",
        "vastaitech.com/va",
        "qualcomm.com/qaic",
        "furiosa.ai/rngd",
        "rebellions.ai/ATOM",
        "tenstorrent.com/n300",
        "graphcore.ai/ipu",
        "ibm.com/spyre_pf",
        "microsoft.com/directx",
        "volcano.sh/vgpu-number",
        "aliyun.com/ppu",
    ],
)
def test_accelerators_of_all_vendors_are_known(name):
    assert is_accelerator(name)


@pytest.mark.parametrize(
    "name",
    [
        "cpu",
        "memory",
        "ephemeral-storage",
        "gpu",
        "rdma/hca",
        "nvidia.com/hostdev",
        "nvidia.com/gpumem",
        "nvidia.com/gpumem-percentage",
        "nvidia.com/gpucores",
        "aliyun.com/gpu-mem",
        "volcano.sh/vgpu-memory",
        "gpu.intel.com/i915_monitoring",
        "gpu.intel.com/millicores",
        "huawei.com/Ascend910-memory",
        "huawei.com/npu-core",
        "vpc.amazonaws.com/efa",
        "example.com/chip",
        "example.com/grouping",
    ],
)
def test_what_is_no_accelerator_or_a_portion_of_one_is_not_counted(name):
    assert not is_accelerator(name)


def test_names_of_one_s_own_are_added():
    try:
        add_accelerators(["example.com/Chip", " example.com/card-* ", ""])
        assert is_accelerator("example.com/chip")
        assert is_accelerator("example.com/card-7")
        assert not is_accelerator("example.com/other")
        assert drives_accelerators("example.com/card-driver")
    finally:
        add_accelerators([])
    assert not is_accelerator("example.com/chip")


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("gpu.nvidia.com", True),
        ("gpu.amd.com", True),
        ("gpu.intel.com", True),
        ("gaudi.intel.com", True),
        ("tpu.google.com", True),
        ("neuron.aws.com", True),
        ("npu.example.com", True),
        ("dra.net", False),
        ("dra.cpu", False),
        ("sriovnetwork.k8snetworkplumbingwg.io", False),
        ("compute-domain.nvidia.com", False),
        ("example.com", None),
    ],
)
def test_of_a_dra_driver_it_is_known_or_said_to_be_unknown_whether_it_drives_accelerators(driver, expected):
    assert drives_accelerators(driver) is expected


def a_pod(containers=(), init=(), **spec):
    made = {"containers": list(containers), "initContainers": list(init), "nodeName": "n", **spec}
    return read_pod({"metadata": {"name": "p", "uid": "u"}, "spec": made})


def asks(memory=None, sidecar=False, **more):
    requests = {**({"memory": memory} if memory else {}), **more}
    return {"name": "c", "resources": {"requests": requests}, **({"restartPolicy": "Always"} if sidecar else {})}


@pytest.mark.parametrize(
    ("resource", "gpus"), [("nvidia.com/gpu.shared", 1), ("nvidia.com/mig-1g.5gb.shared", 1), ("google.com/tpu", 4)]
)
def test_a_pod_s_accelerators_are_counted_whatever_they_are_called(resource, gpus):
    container = {"name": "c", "resources": {"limits": {resource: str(gpus)}}}
    assert a_pod([container]).gpus == gpus


@pytest.mark.parametrize(
    ("init", "gi"),
    [
        ([asks("1Gi")], 4),
        ([asks("8Gi")], 8),
        ([asks("2Gi", sidecar=True)], 6),
        ([asks("2Gi", sidecar=True), asks("3Gi")], 6),
        ([asks("2Gi", sidecar=True), asks("8Gi")], 10),
        ([asks("8Gi"), asks("2Gi", sidecar=True)], 8),
    ],
    ids=["smaller", "larger", "sidecar", "after a sidecar", "larger after a sidecar", "larger before a sidecar"],
)
def test_init_containers_count_with_the_sidecars_that_run_already(init, gi):
    assert a_pod([asks("3Gi"), asks("1Gi")], init).memory == gi * GI


def test_resources_of_the_whole_pod_count_instead_of_the_sum():
    pod = a_pod([asks("3Gi", **{"nvidia.com/gpu": "1"})], resources={"requests": {"memory": "8Gi", "cpu": "2"}})
    assert (pod.memory, pod.requests["requests.cpu"], pod.gpus) == (8 * GI, "2", 1)
    assert a_pod([asks()], resources={"limits": {"memory": "64Gi"}}).memory == 64 * GI
    assert a_pod([asks("3Gi")], resources={"limits": {"memory": "64Gi"}}).memory == 3 * GI


def test_the_overhead_of_a_runtime_class_counts_too():
    pod = a_pod([asks("3Gi")], **OVERHEAD)
    assert (pod.memory, pod.requests["requests.cpu"]) == (4 * GI, "0.25")
    assert "limits.memory" not in pod.requests


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [asks("3Gi"), asks("1Gi")], "initContainers": [asks("2Gi", sidecar=True), asks("8Gi")]},
        {"containers": [asks("3Gi")], "initContainers": [asks("8Gi"), asks("2Gi", sidecar=True)], **OVERHEAD},
        {"containers": [asks("3Gi")], "resources": {"requests": {"memory": "8Gi"}, "limits": {"memory": "9Gi"}}},
        {"containers": [asks()], "resources": {"limits": {"memory": "64Gi"}}, **OVERHEAD},
    ],
)
def test_the_simulated_scheduler_counts_the_same(spec):
    counted = a_pod(**spec)
    requests, limits = demand.requests({"spec": spec}), demand.limits({"spec": spec})
    assert requests["memory"] == counted.memory
    found = {name.removeprefix("limits.") for name in counted.requests if name.startswith("limits.")}
    assert limits.keys() == found
