"""Which extended resources, and which DRA drivers, are accelerators: GPUs, TPUs, NPUs and their kind, whole, shared or partitioned.

Device plugins name them freely, so most are known by the word for the device in their name; makes are listed where the name
has none. Sources: the plugins of NVIDIA, AMD, Intel, Habana, Google, AWS Neuron, Huawei Ascend, Cambricon, Hygon, MetaX,
Moore Threads, Iluvatar, Enflame, Kunlunxin, Biren, Vastai, Qualcomm, FuriosaAI, Rebellions, Tenstorrent, Graphcore, IBM
Spyre, Windows DirectX, HAMi, Volcano and Alibaba Cloud. What is unknown is added by ACCELERATOR_RESOURCES.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_DEVICE = re.compile(r"(?:^|[-._])[a-z]?(?:gpu|tpu|npu|xpu|ipu|gcu|mlu|dcu|rdu|ppu|hpu|lpu)(?:num|s)?(?:$|[-._]|[0-9])")
_PORTION = re.compile(
    r"(?:mem|memory|cores?|vcores?|percentage|percent|monitoring|millicores|tiles|bandwidth|memory\.max)$"
)
"""Of a device that is counted beside it: cores in percent, memory in MiB."""
_MAKES = (
    "nvidia.com/mig-*",
    "amd.com/[sdtqc]px*",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
    "npu.intel.com/accel",
    "habana.ai/*",
    "aws.amazon.com/neuron",
    "aws.amazon.com/neuroncore",
    "aws.amazon.com/neurondevice",
    "huawei.com/ascend*",
    "qualcomm.com/qaic*",
    "furiosa.ai/*",
    "*.furiosa.ai/*",
    "rebellions.ai/*",
    "tenstorrent.com/*",
    "vastaitech.com/va*",
    "ibm.com/spyre*",
    "ibm.com/aiu*",
    "microsoft.com/directx",
)
_DRIVERS = re.compile(r"(?:^|[-._])(?:gpu|tpu|npu|xpu|ipu|neuron|gaudi|qaic|mlu|dcu|rngd|vgpu|hpu)(?:[-._]|$)")
_OTHER_DRIVERS = re.compile(
    r"(?:^|[-._])(?:cpu|memory|net|nic|dranet|rdma|sriov\w*|compute-domain|storage|usb|fpga)(?:[-._]|$)"
)
_added: tuple[str, ...] = ()


def add_accelerators(names: Iterable[str]) -> None:
    """Count these resource names too, for this process. `*` stands for any text."""
    global _added  # noqa: PLW0603 - a setting of the process, as the environment that it comes from
    _added = tuple(name.strip().lower() for name in names if name.strip())


def is_accelerator(resource: str) -> bool:
    """Whether pieces of this extended resource are accelerators, such as nvidia.com/gpu.shared, google.com/tpu."""
    name = resource.lower()
    _, _, device = name.partition("/")
    if not device:
        return False
    if any(fnmatchcase(name, one) for one in _added):
        return True
    if any(fnmatchcase(name, one) for one in _MAKES):
        return name.endswith("/neuroncore") or not _PORTION.search(device)
    return bool(_DEVICE.search(device)) and not _PORTION.search(device)


def drives_accelerators(driver: str) -> bool | None:
    """Whether devices of a DRA driver, such as gpu.nvidia.com, are accelerators. None: that is not known of it."""
    name = driver.lower()
    if any(fnmatchcase(name, one) for one in _added) or _DRIVERS.search(name):
        return True
    return False if _OTHER_DRIVERS.search(name) else None
