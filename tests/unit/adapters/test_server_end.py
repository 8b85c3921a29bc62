"""For how long a pod's server goes on with requests in flight, as its container says."""

import pytest

from functions.adapters.kserve.pods import read_pod

KSERVES = '''# --shutdown-timeout landed in vLLM 0.18.0
SHUTDOWN_TIMEOUT_ARGS="--shutdown-timeout 40"
eval "exec vllm serve /mnt/models ${SHUTDOWN_TIMEOUT_ARGS}"'''
SLEEPS = {"preStop": {"exec": {"command": ["/bin/sleep", "15"]}}}


def read(*containers):
    metadata = {"name": "p", "namespace": "ml", "uid": "u"}
    return read_pod({"metadata": metadata, "spec": {"containers": list(containers)}, "status": {}}).server_seconds


@pytest.mark.parametrize(
    ("container", "seconds"),
    [
        ({"args": [KSERVES], "lifecycle": SLEEPS}, 55),
        ({"args": [KSERVES]}, 40),
        ({"args": [KSERVES], "lifecycle": {"preStop": {"sleep": {"seconds": 15}}}}, 55),
        ({"args": [KSERVES], "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "sleep 5 && true"]}}}}, 45),
        ({"args": [KSERVES], "lifecycle": {"preStop": {"httpGet": {"path": "/"}}}}, 40),
        ({"args": ["--shutdown-timeout", "30"]}, 30),
        ({"args": ["--shutdown-timeout=30"]}, 30),
        ({"args": [KSERVES], "env": [{"name": "VLLM_ADDITIONAL_ARGS", "value": "--shutdown-timeout 90"}]}, 90),
        ({"args": ["# --shutdown-timeout landed in vLLM 0.18.0"], "lifecycle": SLEEPS}, None),
        ({"lifecycle": SLEEPS}, None),
        ({}, None),
    ],
)
def test_it_is_the_pre_stop_hook_and_the_servers_own_timeout(container, seconds):
    assert read({"name": "main", **container}) == seconds


def test_of_several_servers_the_first_to_end_counts():
    assert read({"name": "a", "args": ["--shutdown-timeout=30"]}, {"name": "b", "args": ["--shutdown-timeout=9"]}) == 9
