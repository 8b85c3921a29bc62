"""What of a pod shows that it still loads."""

import pytest

from functions.adapters.kserve.pods import read_pod

PROBE = {"tcpSocket": {"port": 8080}, "failureThreshold": 60, "periodSeconds": 10, "initialDelaySeconds": 5}
RUNS = {"state": {"running": {"startedAt": "2026-03-01T12:00:00Z"}}, "restartCount": 0, "ready": False}


def look(*, init=(), containers=({"name": "main"},), node="n1", **status):
    metadata = {"name": "p", "namespace": "ml", "uid": "u"}
    spec = {"containers": list(containers), "initContainers": list(init), "nodeName": node}
    return read_pod({"metadata": metadata, "spec": spec, "status": status})


def test_a_storage_initializer_that_runs_downloads():
    pod = look(init=[{"name": "storage-initializer"}], initContainerStatuses=[{"name": "storage-initializer", **RUNS}])
    assert pod.loading == "init container storage-initializer runs."


@pytest.mark.parametrize(
    ("status", "loads"),
    [
        ({**RUNS, "started": False}, True),
        ({**RUNS, "started": True}, False),
        ({**RUNS, "started": False, "restartCount": 1}, False),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}, "started": False}, False),
    ],
)
def test_a_container_within_its_startup_probe_loads_until_it_is_restarted(status, loads):
    pod = look(containers=[{"name": "main", "startupProbe": PROBE}], containerStatuses=[{"name": "main", **status}])
    assert (pod.loading is not None) is loads
    assert pod.startup_seconds == 605


def test_a_container_with_a_readiness_probe_alone_shows_nothing():
    pod = look(containerStatuses=[{"name": "main", **RUNS, "started": True}])
    assert (pod.loading, pod.startup_seconds) == (None, 0)


def test_a_sidecar_that_runs_does_not_load():
    sidecar = {"name": "modelcar", "restartPolicy": "Always"}
    assert look(init=[sidecar], initContainerStatuses=[{"name": "modelcar", **RUNS}]).loading is None


def test_the_defaults_of_a_startup_probe_are_kubernetes_own():
    assert look(containers=[{"name": "main", "startupProbe": {"httpGet": {"path": "/"}}}]).startup_seconds == 30


@pytest.mark.parametrize("node", ["n1", None])
def test_a_pod_has_been_placed_when_it_has_a_node(node):
    condition = {
        "type": "PodScheduled",
        "status": "True" if node else "False",
        "lastTransitionTime": "2026-03-01T12:00:00Z",
    }
    assert (look(node=node, conditions=[condition]).scheduled_at is not None) is bool(node)
