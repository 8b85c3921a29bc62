"""Why a scheduler finds no node for a pod, from the message in the pod's PodScheduled condition.

The messages are those of kube-scheduler's plugins (pkg/scheduler/framework/plugins) from Kubernetes 1.27 on. A node's filters
run in a fixed order and the first that fails is reported, so one message names causes of several nodes.
"""

import re
from dataclasses import dataclass

from functions.adapters.cluster import Json
from functions.adapters.kserve.kueue import QUEUE_LABEL
from functions.lifecycle.observation import Trouble

IN_USE = "Unschedulable"
UNKNOWN = "UnschedulableUnknown"
_TOO_SMALL = "NodesTooSmall"


@dataclass(frozen=True)
class _Cause:
    reason: str
    words: re.Pattern[str]


def _cause(reason: str, words: str) -> _Cause:
    return _Cause(reason, re.compile(words, re.IGNORECASE))


_EVERYWHERE = (
    _cause("VolumeClaimMissing", r'persistentvolumeclaim "?[^" ]+"? (not found|is being deleted)'),
    _cause(
        "VolumeClaimUnbound",
        r"unbound immediate PersistentVolumeClaims|available persistent volumes to bind|non-existent (pv|persistentvolume)"
        r"|not have enough free storage",
    ),
    _cause(
        "ResourceClaimMissing",
        r'resourceclaim(template)? "?[^" ]+"? not found|to create the resourceclaim|deviceclass[^,]*not found',
    ),
    _cause("NoNodes", r"^no nodes available|^0/0 nodes"),
)
"""No node is tried at all."""
_ON_SOME_NODES = (
    _cause(
        IN_USE,
        r"\bInsufficient \S|cannot allocate all claims|resourceclaim in use|not enough resource|have enough resource",
    ),
    _cause("TooManyPods", r"\bToo many pods"),
    _cause("HostPortInUse", r"free ports for the requested pod ports"),
    _cause("VolumeInUse", r"ReadWriteOncePod access mode|no available disk"),
    _cause("TooManyVolumes", r"exceed max volume count"),
    _cause("PodAntiAffinity", r"anti-affinity rules"),
)
"""The end of other pods helps, unless the scheduler says that no node would do even without them."""
_FITS_NOWHERE = (
    _cause("TaintNotTolerated", r"taint \{(?!node\.kubernetes\.io/|node-role\.kubernetes\.io/)"),
    _cause(
        "VolumeOnOtherNodes",
        r"volume node affinity conflict|PersistentVolume's node affinity|available volume zone",
    ),
    _cause("PodAffinityMismatch", r"pod affinity rules"),
    _cause("TopologySpreadMismatch", r"topology spread constraints"),
    _cause(_TOO_SMALL, r"\bInsufficient \S"),
    _cause("ResourceClaimUnsatisfied", r"cannot allocate all claims|resourceclaim not available on the node"),
    _cause("NodeSelectorMismatch", r"node affinity|node selector|requested node name"),
    _cause("TaintNotTolerated", r"untolerated taint\(s\)"),
    _cause("NodesUnavailable", r"node\(s\) were unschedulable|unknown conditions|taint \{node\.kubernetes\.io/"),
    _cause("TaintNotTolerated", r"\btaint"),
)
"""The nodes that come nearest, first; control planes, which are tainted everywhere, last."""
_NODES = re.compile(r"\b0/(\d+) nodes are (?:un)?available")
_NEVER = re.compile(r"\b(\d+) Preemption is not helpful")


def gated(metadata: Json, spec: Json) -> Trouble:
    """No scheduler looks at a pod with scheduling gates: who set them takes them away, as Kueue does when it admits the pod."""
    gates = [gate["name"] for gate in spec.get("schedulingGates") or [] if gate.get("name")]
    queue = (metadata.get("labels") or {}).get(QUEUE_LABEL)
    told = f"held back by the scheduling gate {', '.join(gates)}" if gates else "held back by a scheduling gate"
    return Trouble("SchedulingGated", f"{told}, in Kueue's queue {queue}" if queue else told, held=True)


def unschedulable(reason: str | None, message: str | None) -> Trouble:
    """What a PodScheduled condition says that is False for want of a node. Other schedulers than Kubernetes' own may say
    anything: then the cause is unknown, and their message is all there is.
    """
    said = (message or "").strip() or "the scheduler gives no reason"
    if reason not in {None, "", IN_USE}:
        said = f"{reason}: {said}"
    return Trouble(_reason_in(said), said)


def _reason_in(said: str) -> str:
    filters, _, preemption = said.partition("preemption:")
    never = _fits_nowhere(said, preemption)
    for causes in (_EVERYWHERE, () if never else _ON_SOME_NODES, _FITS_NOWHERE, _ON_SOME_NODES):
        for cause in causes:
            if cause.words.search(filters):
                return cause.reason
    return UNKNOWN


def _fits_nowhere(said: str, preemption: str) -> bool:
    """Whether every node would refuse the pod also when it were empty: then preemption is of no help on any."""
    nodes, never = _NODES.search(said), _NEVER.search(preemption)
    return bool(nodes and never and int(never[1]) >= int(nodes[1]))
