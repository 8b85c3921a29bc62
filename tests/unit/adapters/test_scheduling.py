"""Why no node takes a pod: the scheduler's messages and what is concluded from them."""

import pytest

from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.scheduling import unschedulable
from functions.lifecycle.reasons import ADVICE

NEVER = "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
NO_VICTIMS = (
    "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful."
)


def three(causes, preemption=""):
    return f"0/3 nodes are available: {causes}. {preemption}".strip()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (three("3 Insufficient nvidia.com/gpu"), "Unschedulable"),
        (three("2 node(s) had untolerated taint(s), 1 Insufficient cpu", NO_VICTIMS), "Unschedulable"),
        (three("3 cannot allocate all claims"), "Unschedulable"),
        (three("1 resourceclaim in use, 2 node(s) were unschedulable"), "Unschedulable"),
        ("pod group is not ready: 3 node(s) didn't have enough resource: GPUs", "Unschedulable"),
        (three("3 Insufficient nvidia.com/gpu", NEVER), "NodesTooSmall"),
        (three("1 node(s) had untolerated taint(s), 2 Insufficient nvidia.com/gpu", NEVER), "NodesTooSmall"),
        (
            three(
                "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient memory",
                NEVER,
            ),
            "NodesTooSmall",
        ),
        (
            three("1 node(s) had untolerated taint {nvidia.com/gpu: present}, 2 Insufficient nvidia.com/gpu", NEVER),
            "TaintNotTolerated",
        ),
        (three("3 node(s) had untolerated taint(s)", NEVER), "TaintNotTolerated"),
        (three("3 node(s) had taint {team: blue}, that the pod didn't tolerate"), "TaintNotTolerated"),
        (three("3 node(s) had untolerated taint {node.kubernetes.io/not-ready: }"), "NodesUnavailable"),
        (three("3 node(s) were unschedulable"), "NodesUnavailable"),
        (three("3 node(s) didn't match Pod's node affinity/selector", NEVER), "NodeSelectorMismatch"),
        (three("3 node(s) didn't match pod affinity rules"), "PodAffinityMismatch"),
        (three("3 node(s) didn't match pod anti-affinity rules"), "PodAntiAffinity"),
        (three("3 node(s) didn't satisfy existing pods anti-affinity rules"), "PodAntiAffinity"),
        (three("3 node(s) didn't match pod topology spread constraints"), "TopologySpreadMismatch"),
        (
            three("3 Too many pods", "preemption: 0/3 nodes are available: 3 No preemption victims found."),
            "TooManyPods",
        ),
        (three("3 node(s) didn't have free ports for the requested pod ports"), "HostPortInUse"),
        (three("pod has unbound immediate PersistentVolumeClaims"), "VolumeClaimUnbound"),
        (three("3 node(s) didn't find available persistent volumes to bind"), "VolumeClaimUnbound"),
        (three('persistentvolumeclaim "weights" not found'), "VolumeClaimMissing"),
        (three('persistentvolumeclaim "weights" is being deleted'), "VolumeClaimMissing"),
        (three('persistentvolumeclaim "weights" bound to non-existent persistentvolume "v"'), "VolumeClaimUnbound"),
        (three("3 node(s) had volume node affinity conflict"), "VolumeOnOtherNodes"),
        (
            three("2 node(s) didn't match PersistentVolume's node affinity, 1 node(s) had untolerated taint(s)"),
            "VolumeOnOtherNodes",
        ),
        (three("3 node(s) had no available volume zone"), "VolumeOnOtherNodes"),
        (three("3 node(s) exceed max volume count"), "TooManyVolumes"),
        (
            three("3 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"),
            "VolumeInUse",
        ),
        (
            three('waiting for dynamic resource controller to create the resourceclaim "llama-gpu"'),
            "ResourceClaimMissing",
        ),
        (three("3 cannot allocate all claims", NEVER), "ResourceClaimUnsatisfied"),
        ("no nodes available to schedule pods", "NoNodes"),
        ("the moon is in the way", "UnschedulableUnknown"),
        (None, "UnschedulableUnknown"),
    ],
)
def test_a_scheduler_s_message_tells_the_cause(message, reason):
    found = unschedulable("Unschedulable", message)
    assert found.reason == reason
    assert found.reason in ADVICE
    assert (message or "the scheduler gives no reason") == found.message


def test_only_where_the_end_of_other_pods_helps_it_is_promised():
    promised = {reason for reason, text in ADVICE.items() if "when another model is stopped" in text}
    assert promised == {"Unschedulable"}


def test_another_scheduler_s_own_reason_is_shown_and_no_cause_is_made_up():
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulerError",
        "message": "plugin Coscheduling",
    }
    pod = read_pod({"metadata": {"name": "p", "uid": "u"}, "status": {"conditions": [condition]}})
    assert (pod.trouble.reason, pod.trouble.message) == ("UnschedulableUnknown", "SchedulerError: plugin Coscheduling")
