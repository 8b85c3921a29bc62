"""Why a pod that has a node does not run: the kubelet's reasons, known and unknown ones, of every kind of container."""

import pytest

from functions.adapters.kserve.pods import read_pod
from functions.lifecycle.reasons import ADVICE

SCHEDULED = {"type": "PodScheduled", "status": "True"}


def a_pod(*, sidecars=(), conditions=(SCHEDULED,), **status):
    init = [{"name": name, "restartPolicy": "Always"} for name in sidecars]
    spec = {"containers": [], "initContainers": init, "nodeName": "node1"}
    return read_pod(
        {"metadata": {"name": "p", "uid": "u"}, "spec": spec, "status": {**status, "conditions": list(conditions)}}
    )


def container(name="c", *, restarts=0, state=None, last=None, ready=False):
    found = {"name": name, "ready": ready, "restartCount": restarts, "state": state or {}}
    return {**found, "lastState": {"terminated": last}} if last else found


def waits(reason, message="words", **more):
    return container(state={"waiting": {"reason": reason, "message": message}}, **more)


def ended(reason="Error", code=1, message=""):
    return {"exitCode": code, "reason": reason, "message": message}


KUBELET = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "ImageInspectError",
    "InvalidImageName",
    "RegistryUnavailable",
    "SignatureValidationFailed",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PreCreateHookError",
    "PreStartHookError",
    "PostStartHookError",
    "VerifyNonRootError",
]


@pytest.mark.parametrize("place", ["containerStatuses", "initContainerStatuses"])
@pytest.mark.parametrize("reason", [*KUBELET, "AReasonOfNextYear"])
def test_each_reason_of_the_kubelet_is_shown_under_its_name(place, reason):
    trouble = a_pod(**{place: [container("ok", ready=True), waits(reason)]}).trouble
    assert (trouble.reason, trouble.message) == (reason, "container c: words")
    assert reason in ADVICE or reason not in KUBELET


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "", None])
def test_a_container_that_is_being_made_has_no_trouble(reason):
    assert a_pod(containerStatuses=[waits(reason)]).trouble is None


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (ended("OOMKilled", 137), "OOMKilled"),
        (ended("StartError", 128, 'exec: "vllm": executable file not found in $PATH'), "StartError"),
        (ended("ContainerCannotRun", 127), "ContainerCannotRun"),
        (ended("ContainerStatusUnknown", 137), "ContainerStatusUnknown"),
        (ended("Error", 1, "exec /bin/server: exec format error"), "WrongArchitecture"),
        (ended("Completed", 0), "CrashLoopBackOff"),
        (ended(), "CrashLoopBackOff"),
    ],
)
def test_a_crash_loop_says_how_the_container_ends(last, reason):
    waiting = a_pod(containerStatuses=[waits("CrashLoopBackOff", restarts=1, last=last)])
    between = a_pod(containerStatuses=[container(restarts=2, state={"terminated": last})])
    assert waiting.trouble.reason == between.trouble.reason == reason
    assert f"exit code {last['exitCode']}, {last['reason']}" in between.trouble.message
    assert reason in ADVICE


def test_one_end_is_no_crash_loop_yet():
    assert a_pod(containerStatuses=[container(restarts=1, state={"terminated": ended()})]).trouble is None


@pytest.mark.parametrize(
    "message",
    [
        "no matching manifest for linux/arm64 in the manifest list entries",
        'no match for platform in manifest: not found for "linux/arm64"',
        "image's platform (linux/amd64) does not match the detected platform",
    ],
)
def test_an_image_for_another_architecture_is_told_apart(message):
    assert a_pod(containerStatuses=[waits("ErrImagePull", message)]).trouble.reason == "WrongArchitecture"


def test_an_init_container_that_has_ended_well_is_no_crash():
    done = container("load", restarts=3, state={"terminated": ended("Completed", 0)})
    pod = a_pod(initContainerStatuses=[done], containerStatuses=[waits("PodInitializing")])
    assert (pod.trouble, pod.crashed) == (None, None)


def test_a_sidecar_that_keeps_ending_is_a_crash_loop_whatever_its_exit_code():
    proxy = container("proxy", restarts=2, state={"terminated": ended("Completed", 0)})
    assert a_pod(sidecars=["proxy"], initContainerStatuses=[proxy]).trouble.reason == "CrashLoopBackOff"
    assert a_pod(initContainerStatuses=[proxy]).trouble is None


def test_an_init_container_counts_as_crashed_from_its_second_restart_on():
    assert a_pod(initContainerStatuses=[container(restarts=1, last=ended())]).crashed is None
    assert "exit code 1" in a_pod(initContainerStatuses=[container(restarts=2, last=ended())]).crashed
    assert "exit code 1" in a_pod(containerStatuses=[container(restarts=1, last=ended())]).crashed


@pytest.mark.parametrize("reason", ["Evicted", "UnexpectedAdmissionError", "OutOfcpu", "NodeAffinity", "Preempting"])
def test_a_pod_that_its_node_ended_or_rejected_says_why(reason):
    trouble = a_pod(phase="Failed", reason=reason, message="low on memory").trouble
    assert (trouble.reason, trouble.message, trouble.ended) == (reason, "low on memory", True)


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_a_pod_that_is_preempted_says_so(phase):
    disrupted = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "preempting",
    }
    trouble = a_pod(phase=phase, conditions=(SCHEDULED, disrupted)).trouble
    assert (trouble.reason, trouble.message, trouble.ended) == ("PreemptionByScheduler", "preempting", True)


@pytest.mark.parametrize(
    ("containers", "reason", "expected"),
    [
        ("True", None, "NodeNotReady"),
        ("True", "ReadinessGatesNotReady", None),
        ("False", "ContainersNotReady", None),
    ],
)
def test_a_pod_whose_node_is_silent_is_not_ready_although_its_containers_are(containers, reason, expected):
    ready = {"type": "Ready", "status": "False", "reason": reason}
    all_of_them = {"type": "ContainersReady", "status": containers}
    trouble = a_pod(conditions=(SCHEDULED, ready, all_of_them)).trouble
    assert (trouble.reason if trouble else None) == expected
